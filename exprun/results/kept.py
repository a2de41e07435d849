"""What the workspace held before an experiment was applied, kept under refs of exprun's own.

Each is a commit on HEAD's: its tree has every file that Git does not ignore, and its message tells
which outputs held something else than dvc.lock records; that is in the cache. The last ten
stay, and all of the last 30 days.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import GitError, RefConflict, UsageError
from exprun.git.experiments import write_commit
from exprun.git.held import objects_of, point
from exprun.git.identity import signatures
from exprun.git.refs import RefEdit
from exprun.git.snapshot import take_snapshot
from exprun.model.lock import Content, Oid
from exprun.model.paths import Location
from exprun.model.values import dataclass
from exprun.results.history import History

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.git.repository import Repository

_KIND = "apply"
_DATA = "Data: "
_ATTEMPTS = 20
_KEPT = 10
_KEPT_S = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A kept state: its ref and commit, its files, and what outputs held (None: nothing) that
    dvc.lock does not tell.
    """

    ref: str
    commit: str
    tree: str
    data: Mapping[Location, Content | None]


def workspace_tree(repository: Repository) -> str:
    """The tree of all files in the worktree that Git does not ignore, untracked ones too."""
    return take_snapshot(repository, include=[""])


def keep(
    repository: Repository, tree: str, data: Mapping[Location, Content | None], *, before: str
) -> Kept:
    """Keep a state; `before` tells people what it came before."""
    author, committer = signatures(repository.env, repository.config)
    listed = {location: content.oid if content else None for location, content in data.items()}
    body = f"\n\n{_DATA}{json.dumps(listed)}" if listed else ""
    head = repository.head().commit
    commit = write_commit(
        repository,
        tree=tree,
        parent=head,
        message=f"exprun: the workspace before {before}{body}\n",
        author=author,
        committer=committer,
    )
    refs = repository.own_refs(_KIND)
    for _ in range(_ATTEMPTS):
        taken = [ref for ref, _ in repository.refs.iterate(refs)]
        number = int(taken[-1].removeprefix(refs)) + 1 if taken else 1
        ref = f"{refs}{number:06}"
        try:
            owed = objects_of(repository, head, commit)
            point(repository, ref, commit, expected=None, owed=owed)
        except RefConflict:
            continue
        _let_go_of_old(repository, refs)
        return Kept(ref=ref, commit=commit, tree=tree, data=data)
    raise RefConflict(f"refs below {refs} keep changing")


def begin_return(repository: Repository, kept: Kept) -> None:
    """Have `kept` be the one to go back to until that has been done: see `edits_of_return`."""
    ref = _begun(repository)
    repository.refs.write(ref, kept.commit, expected=repository.refs.read(ref))


def edits_of_return(repository: Repository) -> list[RefEdit]:
    """What is to change in the refs once a return has ended, or is not to be ended any more."""
    begun = repository.refs.read(_begun(repository))
    return [RefEdit(_begun(repository), begun, None)] if begun else []


def _begun(repository: Repository) -> str:
    return f"{repository.own_refs('undoing')}begun"


def _let_go_of_old(repository: Repository, refs: str) -> None:
    """The last ones stay, all of the last month, and the one that is being gone back to."""
    begun = repository.refs.read(_begun(repository))
    history, limit = History(repository), time.time() - _KEPT_S
    with suppress(GitError, OSError):  # Then the next time.
        old = [
            RefEdit(ref, commit, None)
            for ref, commit in list(repository.refs.iterate(refs))[:-_KEPT]
            if commit != begun and history.commit(commit).time < limit
        ]
        repository.refs.change(old)


def last_kept(repository: Repository) -> Kept:
    """The state kept last, or the one that the last `begin_return` was for if that has not ended.

    Raises UsageError if there is none.
    """
    kept = list(repository.refs.iterate(repository.own_refs(_KIND)))
    if not kept:
        raise UsageError("no experiment was applied here", hint="exprun apply EXPERIMENT")
    begun = repository.refs.read(_begun(repository))
    ref, commit = next((one for one in reversed(kept) if one[1] == begun), kept[-1])
    message = repository.objects.read(commit, "commit").partition(b"\n\n")[2].decode()
    data: dict[Location, Content | None] = {}
    for line in message.splitlines():
        if line.startswith(_DATA):
            listed: dict[str, str | None] = json.loads(line.removeprefix(_DATA))
            data = {
                Location(name): Content(oid=Oid(oid)) if oid else None
                for name, oid in listed.items()
            }
    return Kept(ref=ref, commit=commit, tree=repository.tree_of(commit), data=data)
