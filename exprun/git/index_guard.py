"""Undoing what a stage's command added to the user's index, and nothing else.

The additions belong to the experiment; the user's index is to be as it was. It is written (by Git,
under its lock) only if a command changed it. Where HEAD has moved meanwhile, as with the user's own
``git commit`` or ``git checkout``, what is in the index as HEAD has it stays.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.errors import NotAProject
from exprun.git.command import run_git
from exprun.git.index_file import refuse_conflicts
from exprun.git.tree import Entry, files_of
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.git.index_file import IndexEntry
    from exprun.git.repository import Repository

_ABSENT = b"0 " + b"0" * 40
_FileId = tuple[int, int, int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChange:
    """A path whose index entry a command changed; None where it had or has none."""

    path: str
    before: IndexEntry | None
    after: IndexEntry | None


class IndexMark:
    """The user's index before a command. Raises IndexConflict."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._file = _identify(repository)
        index = repository.read_index()
        refuse_conflicts(index)
        self._entries = {entry.path: entry for entry in index.entries}
        self._head = _head(repository)

    def changes(self) -> tuple[IndexChange, ...]:
        """What differs now. Costs one `stat` if the file was not written."""
        if _identify(self._repository) == self._file:
            return ()
        now = _by_path(self._repository)
        changes = [
            IndexChange(path=path, before=self._entries.get(path), after=now.get(path))
            for path in sorted(self._entries.keys() | now.keys())
            if not _same(self._entries.get(path), now.get(path))
        ]
        head = _head(self._repository)
        if head is None or head == self._head:
            return tuple(changes)
        repository = self._repository
        committed = files_of(repository.objects, repository.tree_of(head))
        return tuple(c for c in changes if _content(c.after) != committed.get(c.path))


def undo_index_changes(repository: Repository, changes: Sequence[IndexChange]) -> None:
    """Put back the entries that are still as the command left them; those changed since stay.

    Raises GitError if the index is locked for long.
    """
    now = _by_path(repository) if changes else {}
    undone = [change for change in changes if _same(now.get(change.path), change.after)]
    if not undone:
        return
    lines = b"".join(_line(change) for change in undone)
    _run(repository, ["update-index", "-z", "--index-info"], lines)
    intended = [c.path for c in undone if c.before is not None and c.before.intent_to_add]
    if intended:
        _run(repository, ["add", "--intent-to-add", "--force", "--", *intended], b"")


def _line(change: IndexChange) -> bytes:
    before = change.before
    if before is None or before.intent_to_add:
        return b"%s\t%s\0" % (_ABSENT, os.fsencode(change.path))
    return b"%o %s\t%s\0" % (before.mode, before.oid.encode(), os.fsencode(change.path))


def _run(repository: Repository, args: list[str], stdin: bytes) -> None:
    run_git(repository.workdir, repository.env, ["--literal-pathspecs", *args], stdin)


def _by_path(repository: Repository) -> dict[str, IndexEntry]:
    return {entry.path: entry for entry in repository.read_index().entries}


def _head(repository: Repository) -> str | None:
    try:
        return repository.head().commit
    except NotAProject:
        return None


def _content(entry: IndexEntry | None) -> Entry | None:
    return entry and Entry(entry.mode, entry.oid)


def _same(one: IndexEntry | None, two: IndexEntry | None) -> bool:
    """Whether both name the same content; refreshed stat data is no change."""
    if one is None or two is None:
        return one is two
    return (one.mode, one.oid, one.stage, one.intent_to_add) == (
        two.mode, two.oid, two.stage, two.intent_to_add,
    )  # fmt: skip


def _identify(repository: Repository) -> _FileId:
    try:
        found = os.stat(os.path.join(repository.git_dir, "index"))
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
