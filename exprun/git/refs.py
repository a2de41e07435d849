"""Refs as files: read and listed without a Git library, changed by compare-and-set.

The protocol is Git's own (``refs/files-backend.c``): ``<ref>.lock`` is created exclusively, the old
value is read under it, the new one is written to it, and it is renamed into place. libgit2 looks
for an existing ref before it locks, so two creators of one ref could both succeed.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from exprun.content import only_files, read_file
from exprun.errors import GitError, RefConflict
from exprun.git.lockfile import LockFile
from exprun.model.files import naming
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from exprun.git.sharing import Sharing

_SHA = pattern(r"[0-9a-f]{40}")
_MAX_LINKS = 5


class RefEdit(NamedTuple):
    """A ref that is at `expected` (None: does not exist) and is to be at `new` (None: deleted)."""

    name: str
    expected: str | None
    new: str | None


def ignore(_: str) -> None:
    """Who takes a warning, and does nothing."""


class RefStore:
    """The refs of one repository (its common directory, so shared by all its worktrees)."""

    def __init__(self, directory: str, sharing: Sharing) -> None:
        self.directory = directory
        self._sharing = sharing

    def read(self, name: str) -> str | None:
        """The commit `name` points to, through symbolic refs; None if it does not exist."""
        for _ in range(_MAX_LINKS):
            value = self._read_loose(name)
            if value is None:
                return self._packed(name).get(name)
            if not value.startswith("ref:"):
                return check_sha(name, value)
            name = value[4:].strip()
        raise GitError(f"ref {name} is linked in a circle")

    def iterate(
        self, prefix: str, *, ending: str = "", warn: Callable[[str], None] = ignore
    ) -> Iterator[tuple[str, str]]:
        """Each ref below `prefix` (which ends in ``/``) with its commit, sorted by name.

        Only those that end in `ending` are read. Broken ones, such as a file torn by a crash, are
        left out, and `warn` is told.
        """
        # First: what is packed meanwhile is then in the one or the other.
        loose = list(self._loose_names(prefix))
        packed = self._packed(prefix)
        found = {name: value for name, value in packed.items() if name.endswith(ending)}
        for name in loose:
            try:
                if name.endswith(ending) and (value := self.read(name)):
                    found[name] = value
            except GitError as error:
                warn(f"{error.message}, and left out")
        yield from sorted(found.items())

    def write(self, name: str, new: str, *, expected: str | None) -> None:
        """Point `name` to `new`, durably, if it is at `expected` now (None: does not exist).

        Raises RefConflict if it is not, or if another process holds its lock. No reflog is written.
        """
        with self._lock(name) as lock:
            current = self.read(name)
            if current != expected:
                raise RefConflict(f"ref {name} is at {current}, not at {expected}")
            _publish(lock, name, new)

    def change(self, edits: Iterable[RefEdit]) -> None:
        """Carry out all edits, durably, or none if one of the refs is not where it is expected.

        Raises RefConflict, also if another process holds a lock. A crash in between may leave both
        old and new refs, but loses none: what is new is written before what is old goes.
        """
        edits = sorted(edits)
        with ExitStack() as stack:
            locks = {edit.name: stack.enter_context(self._lock(edit.name)) for edit in edits}
            for edit in edits:
                current = self.read(edit.name)
                if current != edit.expected:
                    raise RefConflict(f"ref {edit.name} is at {current}, not at {edit.expected}")
            doomed = [edit.name for edit in edits if edit.new is None]
            packed = None
            if doomed and not self._packed("refs/").keys().isdisjoint(doomed):
                packed = stack.enter_context(self._lock_packed())
            for edit in edits:
                if edit.new is not None:
                    _publish(locks[edit.name], edit.name, edit.new)
            self._delete_locked(doomed, packed)
        for name in doomed:
            self._remove_empty_above(name)

    def _lock(self, name: str) -> LockFile:
        return LockFile(self.directory, name, self._sharing)

    def _lock_packed(self) -> LockFile:
        """The lock of ``packed-refs``; of what it leads to if it is a link, as Git locks it."""
        directory, name = os.path.split(os.path.realpath(f"{self.directory}/packed-refs"))
        return LockFile(directory, name, self._sharing)

    def _delete_locked(self, names: Sequence[str], packed: LockFile | None) -> None:
        """Packed values go first: they must not show again once the loose files are gone."""
        if packed is not None:
            self._unpack(packed, frozenset(map(os.fsencode, names)))
        for name in names:
            for path in (name, f"logs/{name}"):
                _unlink_if_there(os.path.join(self.directory, path))
        for directory in {os.path.dirname(name) for name in names}:
            sync_directory(os.path.join(self.directory, directory))

    def _unpack(self, lock: LockFile, names: frozenset[bytes]) -> None:
        """Write ``packed-refs`` without some refs, and without what they peel to."""
        kept = []
        gone = False
        with open(lock.path, "rb") as old:
            for line in old:
                gone = gone if line.startswith(b"^") else line[41:-1] in names
                if not gone:
                    kept.append(line)
        lock.fill(b"".join(kept))
        lock.publish()
        sync_directory(os.path.dirname(lock.path))

    def _remove_empty_above(self, name: str) -> None:
        """Remove the directories that a deleted ref leaves empty, as Git does."""
        parts = name.split("/")[:-1]
        with suppress(OSError):
            while len(parts) > 2:
                os.rmdir(os.path.join(self.directory, *parts))
                parts.pop()

    def _read_loose(self, name: str) -> str | None:
        try:
            return read_file(f"{self.directory}/{name}").decode().strip()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except UnicodeDecodeError as error:
            raise GitError(f"ref {name} is damaged") from error

    def _loose_names(self, prefix: str) -> Iterator[str]:
        try:
            entries = sorted(
                os.scandir(os.path.join(self.directory, prefix)), key=attrgetter("name")
            )
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from self._loose_names(name + "/")
            elif not name.endswith(".lock"):
                yield name

    def _packed(self, prefix: str) -> dict[str, str]:
        """The packed refs whose names start with `prefix`."""
        try:
            path = f"{self.directory}/packed-refs"
            with open(path, errors="surrogateescape", newline="\n", opener=only_files) as file:
                return {
                    line[41:-1]: line[:40]
                    for line in file
                    if line.startswith(prefix, 41) and _SHA.match(line)
                }
        except FileNotFoundError:
            return {}


def _unlink_if_there(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with naming(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(lock: LockFile, name: str, new: str) -> None:
    """Write the ref that `lock` is of, durably."""
    lock.fill(f"{new}\n".encode())
    try:
        lock.publish()
    except IsADirectoryError as error:
        # Git leaves the empty directories of deleted refs behind.
        if not _remove_empty(lock.path):
            raise RefConflict(f"refs below {name} exist") from error
        lock.publish()
    sync_directory(os.path.dirname(lock.path))


def _remove_empty(directory: str) -> bool:
    try:
        for path, _, _ in os.walk(directory, topdown=False):
            os.rmdir(path)
    except OSError:
        return False
    return True


def check_sha(name: str, value: str) -> str:
    """`value`, what a ref holds. Raises GitError if that is no commit's name."""
    if not _SHA.fullmatch(value):
        raise GitError(f"ref {name} is damaged", hint="git fsck")
    return value
