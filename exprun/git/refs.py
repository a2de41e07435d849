"""Refs as files: read and listed without a Git library, changed by compare-and-set.

The protocol is Git's own (``refs/files-backend.c``): ``<ref>.lock`` is created exclusively, the old
value is read under it, the new one is written to it, and it is renamed into place. libgit2 looks
for an existing ref before it locks, so two creators of one ref could both succeed.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import GitError, RefConflict

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHA = re.compile(r"[0-9a-f]{40}")
_MAX_LINKS = 5
_LOCK_WAIT_S = 2.0


class RefStore:
    """The refs of one repository (its common directory, so shared by all its worktrees)."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def read(self, name: str) -> str | None:
        """The commit `name` points to, through symbolic refs; None if it does not exist."""
        for _ in range(_MAX_LINKS):
            value = self._read_loose(name)
            if value is None:
                return self._packed(name).get(name)
            if not value.startswith("ref:"):
                return _check_sha(name, value)
            name = value[4:].strip()
        raise GitError(f"ref {name} is linked in a circle")

    def iterate(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Each ref below `prefix` (which ends in ``/``) with its commit, sorted by name.

        Broken refs, such as a file torn by a crash, are left out.
        """
        found = self._packed(prefix)
        for name in self._loose_names(prefix):
            with suppress(GitError):
                if value := self.read(name):
                    found[name] = value
        yield from sorted(found.items())

    def write(self, name: str, new: str, *, expected: str | None) -> None:
        """Point `name` to `new`, durably, if it is at `expected` now (None: does not exist).

        Raises RefConflict if it is not, or if another process holds its lock. No reflog is written.
        """
        path = os.path.join(self.directory, name)
        lock = path + ".lock"
        descriptor = _create_lock(lock, name)
        try:
            with os.fdopen(descriptor, "w") as file:
                current = self.read(name)
                if current != expected:
                    raise RefConflict(f"ref {name} is at {current}, not at {expected}")
                file.write(new + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._publish(lock, path, name)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(lock)
            raise

    def _publish(self, lock: str, path: str, name: str) -> None:
        try:
            os.rename(lock, path)
        except IsADirectoryError as error:
            # Git leaves the empty directories of deleted refs behind.
            if not _remove_empty(path):
                raise RefConflict(f"refs below {name} exist") from error
            os.rename(lock, path)
        sync_directory(os.path.dirname(path))

    def _read_loose(self, name: str) -> str | None:
        try:
            with open(os.path.join(self.directory, name)) as file:
                return file.read(4096).strip()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except UnicodeDecodeError as error:
            raise GitError(f"ref {name} is damaged") from error

    def _loose_names(self, prefix: str) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(os.path.join(self.directory, prefix)), key=_name)
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
            with open(
                os.path.join(self.directory, "packed-refs"), errors="surrogateescape", newline="\n"
            ) as file:
                return {
                    line[41:-1]: line[:40]
                    for line in file
                    if line.startswith(prefix, 41) and _SHA.match(line)
                }
        except FileNotFoundError:
            return {}


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create_lock(lock: str, name: str) -> int:
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            os.makedirs(os.path.dirname(lock), exist_ok=True)
            return os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # another process removed the directory while it was empty
            if time.monotonic() >= deadline:
                raise
        except OSError as error:
            if not isinstance(error, FileExistsError | NotADirectoryError):
                raise
            if not os.path.isdir(os.path.dirname(lock)):
                raise RefConflict(f"ref {name} lies below another ref") from error
            # Git holds such locks for microseconds; one that stays was left by a crash.
            if time.monotonic() >= deadline:
                raise RefConflict(
                    f"ref {name} is locked", hint=f"remove {lock} if no git process is running"
                ) from error
            time.sleep(0.01)


def _remove_empty(directory: str) -> bool:
    try:
        for path, _, _ in os.walk(directory, topdown=False):
            os.rmdir(path)
    except OSError:
        return False
    return True


def _check_sha(name: str, value: str) -> str:
    if not _SHA.fullmatch(value):
        raise GitError(f"ref {name} is damaged")
    return value


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
