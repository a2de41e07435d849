"""Commits that no branch knows, held by a ref of ours so that Git keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.git.command import NO_HOOKS, run_git
from exprun.git.objects import EMPTY_TREE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exprun.git.identity import Signature
    from exprun.git.objects import ObjectStore
    from exprun.git.repository import Repository


def write_held_commit(
    objects: ObjectStore, *, tree: str, parents: Sequence[str], message: str, who: Signature
) -> str:
    """Store a commit of any number of parents; its name."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {who}", f"committer {who}", "", message, ""]
    return objects.write("commit", "\n".join(lines).encode(errors="surrogateescape"))


def hold(
    repository: Repository,
    objects: ObjectStore,
    ref: str,
    commits: Sequence[str],
    who: Signature,
) -> None:
    """Make what was written to `objects` durable, and the new `ref` hold all of `commits`.

    Of several commits the ref holds one that has them for parents.
    """
    if len(commits) == 1:
        [commit] = commits
    else:
        objects.write("tree", b"")
        commit = write_held_commit(
            objects, tree=EMPTY_TREE, parents=commits, message="exprun: queued together", who=who
        )
    objects.sync()
    repository.refs.write(ref, commit, expected=None)


def let_go(repository: Repository, refs: Iterable[str]) -> None:
    """Delete refs, wherever they are stored. No hook is run."""
    commands = "".join(f"delete {ref}\n" for ref in refs)
    if commands:
        args = [*NO_HOOKS, "update-ref", "--stdin"]
        run_git(repository.workdir, repository.env, args, commands.encode())
