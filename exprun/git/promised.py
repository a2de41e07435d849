"""Objects that a partial clone has left at its remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.git.command import NO_HOOKS, run_git

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exprun.git.config import GitConfig
    from exprun.git.repository import Repository

# As Git itself asks for them (``promisor-remote.c``).
_FETCH = (
    *NO_HOOKS, "-c", "fetch.negotiationAlgorithm=noop", "-c", "maintenance.auto=false",
    "-c", "gc.auto=0", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
    "--recurse-submodules=no", "--filter=blob:none", "--stdin",
)  # fmt: skip


def fetch_promised(repository: Repository, oids: Iterable[str]) -> None:
    """Have Git fetch those of the objects that are not here but promised. Raises GitError."""
    remote = _promisor(repository.config)
    if remote is None:
        return
    absent = sorted({oid for oid in oids if not repository.objects.contains(oid)})
    if absent:
        wanted = "".join(f"{oid}\n" for oid in absent).encode()
        run_git(repository.workdir, repository.env, [*_FETCH, remote], wanted)


def _promisor(config: GitConfig) -> str | None:
    """The remote that has promised objects; Git before 2.24 told of it in another place."""
    for name in sorted(config.sections("remote")):
        if config.is_true(f"remote.{name}.promisor"):
            return name
    return config.get("extensions.partialclone")
