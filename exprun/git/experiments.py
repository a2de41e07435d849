"""The experiment commit, and publishing it under a ref: the last thing an experiment does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import RefConflict
from exprun.git.held import objects_of, point
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from exprun.git.experiment_refs import ExperimentRef
    from exprun.git.identity import Signature
    from exprun.git.repository import Repository

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A stored experiment; not `created` if an equal one already had the name."""

    ref: ExperimentRef
    commit: str
    created: bool


def default_message(experiment_hash: str) -> str:
    """The message DVC gives an experiment commit: one line, without a newline."""
    return f"dvc: commit experiment {experiment_hash}"


def write_commit(
    repository: Repository,
    *,
    tree: str,
    parent: str,
    message: str,
    author: Signature,
    committer: Signature,
) -> str:
    """Store a commit; its name. The message is kept as it is; nothing is signed, no hook is run."""
    text = (
        f"tree {tree}\nparent {parent}\nauthor {author}\ncommitter {committer}\n\n{message}"
    ).encode(errors="surrogateescape")
    return repository.objects.write("commit", text)


def publish(
    repository: Repository, ref: ExperimentRef, commit: str, *, replace: bool = False
) -> Published:
    """Make every object written so far durable, then point the experiment's ref to `commit`.

    If the name is taken: an experiment with the same tree is kept and returned, one with another
    tree makes this raise RefConflict, and with `replace` either gives way. Of two processes that
    publish one name at once, exactly one creates it. Raises Pruned, without a ref, if what the
    commit adds to the baseline is not all there: it has to be written again.
    """
    for _ in range(_ATTEMPTS):
        existing = repository.refs.read(str(ref))
        if existing is not None and not replace:
            return _keep(repository, ref, existing, commit)
        owed = objects_of(repository, ref.baseline, commit)
        try:
            point(repository, str(ref), commit, expected=existing, owed=owed)
        except RefConflict:
            if repository.refs.read(str(ref)) == existing:
                raise
        else:
            return Published(ref=ref, commit=commit, created=True)
    raise RefConflict(f"ref {ref} keeps changing")


def check_name_is_free(repository: Repository, ref: ExperimentRef) -> None:
    """Raise RefConflict if an experiment has the name: asked before anything runs."""
    if repository.refs.read(str(ref)) is not None:
        raise _conflict(ref)


def _keep(repository: Repository, ref: ExperimentRef, existing: str, commit: str) -> Published:
    if existing != commit and repository.tree_of(existing) != repository.tree_of(commit):
        raise _conflict(ref)
    return Published(ref=ref, commit=existing, created=False)


def _conflict(ref: ExperimentRef) -> RefConflict:
    return RefConflict(
        f"experiment conflicts with existing experiment '{ref.name}'",
        hint="to overwrite the existing experiment run:\n\n\texprun run -f ...",
    )
