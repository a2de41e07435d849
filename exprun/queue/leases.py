"""Who is alive: kernel locks that their holders' deaths release.

An orchestrator, or a command that is queueing, holds ``flock`` on a file of its own for as long as
it lives. Whether an attempt runs is asked of that lock and of nothing else. A process that a killed
holder was just starting shares the lock until it has closed what it inherited, which is a matter of
milliseconds: if the pid in the file is nobody's, the lock is given a moment to come free.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_DRAIN = ".drain"
_MOMENT_S = 1.0
_PERIOD_S = 0.005


class Lease:
    """Held from when it is made until it is closed, or its process ends in whatever way."""

    def __init__(self, directory: str) -> None:
        self.id = os.urandom(8).hex()
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._path = os.path.join(directory, self.id)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        # Waits only for one who is just asking whether the lock is held.
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with suppress(OSError):  # A full disk: it only tells whom to be patient with.
            os.write(self._descriptor, str(os.getpid()).encode())

    def close(self) -> None:
        """Give the lease up. Files that cannot be removed now are removed as those of the dead."""
        if self._descriptor >= 0:
            for path in (self._path, self._path + _DRAIN):
                with suppress(OSError):
                    os.unlink(path)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_draining(self) -> bool:
        """Whether somebody asked the holder to start nothing more."""
        return os.path.exists(self._path + _DRAIN)


def ask_to_drain(directory: str) -> int:
    """Ask every living holder to start nothing more; how many there are."""
    holders = [name for name in _names(directory) if is_held(directory, name)]
    for name in holders:
        path = os.path.join(directory, name + _DRAIN)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | _FLAGS, 0o600))
    return len(holders)


def has_lease(directory: str, pid: int) -> bool:
    """Whether the process `pid`, which is alive, holds a lease."""
    wanted = str(pid).encode()
    for name in _names(directory):
        with suppress(FileNotFoundError), open(os.path.join(directory, name), "rb") as file:
            if file.read(20) == wanted and is_held(directory, name):
                return True
    return False


def is_held(directory: str, id: str) -> bool:
    """Whether the holder of a lease is alive."""
    try:
        descriptor = os.open(os.path.join(directory, id), os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return False
    try:
        if not _is_locked(descriptor):
            return False
        if not _is_of_the_dead(descriptor):
            return True
        deadline = time.monotonic() + _MOMENT_S
        while (is_locked := _is_locked(descriptor)) and time.monotonic() < deadline:
            time.sleep(_PERIOD_S)
        return is_locked
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _is_of_the_dead(descriptor: int) -> bool:
    """Whether the file names a process, and there is none of that pid."""
    try:
        os.kill(int(os.pread(descriptor, 20, 0)), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return False


def remove_dead(directory: str, *, older_than: float) -> None:
    """Remove what dead holders left, if it was made before `older_than`."""
    for name in _names(directory):
        path = os.path.join(directory, name)
        with suppress(FileNotFoundError):
            # A lease that is just being made is not locked yet.
            holder = name.removesuffix(_DRAIN)
            if os.stat(path).st_mtime < older_than and not is_held(directory, holder):
                os.unlink(path)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
