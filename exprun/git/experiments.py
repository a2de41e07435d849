"""The experiment commit, and publishing it under a ref: the last thing an experiment does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import RefConflict
from exprun.git.objects import EMPTY_TREE, Pruned
from exprun.git.refs import RefEdit
from exprun.git.tree import GITLINK, TREE, read_tree
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exprun.git.experiment_refs import ExperimentRef
    from exprun.git.identity import Signature
    from exprun.git.objects import ObjectStore
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
    repository.objects.sync()
    owed = _require(repository, ref, _objects_of(repository, ref, commit))
    for _ in range(_ATTEMPTS):
        existing = repository.refs.read(str(ref))
        if existing is not None and not replace:
            return _keep(repository, ref, existing, commit)
        try:
            repository.refs.write(str(ref), commit, expected=existing)
        except RefConflict:
            if repository.refs.read(str(ref)) == existing:
                raise
        else:
            try:
                _require(repository, ref, owed)
            except Pruned:
                # By one who had looked at the refs before.
                repository.refs.change([RefEdit(str(ref), commit, existing)])
                raise
            return Published(ref=ref, commit=commit, created=True)
    raise RefConflict(f"ref {ref} keeps changing")


def _require(repository: Repository, ref: ExperimentRef, oids: Iterable[str]) -> list[str]:
    """The objects, all of which are there. Raises Pruned."""
    found = []
    for oid in oids:
        if not repository.objects.contains(oid):
            raise Pruned(
                f"what git stored of experiment '{ref.name}' has gone",
                hint="is git pruned all the time?",
            )
        found.append(oid)
    return found


def _objects_of(repository: Repository, ref: ExperimentRef, commit: str) -> Iterator[str]:
    """The commit and all that it adds to the baseline; each is named before it is read."""
    yield commit
    old, new = repository.tree_of(ref.baseline), repository.tree_of(commit)
    yield from _added(repository.objects, old, new)


def _added(objects: ObjectStore, old: str, new: str) -> Iterator[str]:
    """The tree `new` and all in it that `old` does not have under the same name."""
    if new in (old, EMPTY_TREE):
        return
    yield new
    before = read_tree(objects, old)
    for name, entry in read_tree(objects, new).items():
        known = before.get(name)
        if entry == known or entry.mode == GITLINK:
            continue
        if entry.mode == TREE:
            below = known.oid if known and known.mode == TREE else EMPTY_TREE
            yield from _added(objects, below, entry.oid)
        else:
            yield entry.oid


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
