"""DVC's own locks, taken as DVC takes them, so that ``dvc`` may run beside exprun.

`RepoLock` is ``.dvc/tmp/lock``: whoever writes dvc.lock, .dvc and .gitignore files or outputs
holds it, but not while a stage's command runs. What a running command reads and writes is listed in
``.dvc/tmp/rwlock`` instead (see `exprun.project.rwlock`), which `FileLock` guards.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from exprun.errors import ExprunError, ProjectError
from exprun.model.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    _Release = Callable[[], None]

_RETRY_S = 0.02
_SLOWEST_RETRY_S = 0.2
_HARDLINK_LIFETIME_S = 365 * 24 * 3600
_CLOCK_TOLERANCE_S = 10
_LONGEST_WAIT_S = 30.0

_turns: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
"""The turns that threads of this process take, by the path of the lock; gone with its users."""
_finding_turns = threading.Lock()


class Busy(ProjectError):
    """Another process holds a lock for longer than one was ready to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a lock, and whom to tell that one waits.

    `limit_s` None waits for as long as the holder lives. `on_wait` is called once, with what one
    waits for, when a lock is not free at once. `give_up` is asked between attempts.
    """

    limit_s: float | None = 3.0
    on_wait: Callable[[str], None] | None = None
    give_up: Callable[[], bool] | None = None

    def retries(self, waiting_for: Callable[[], str]) -> Iterator[None]:
        """Yields before each attempt, and ends when it is time to give up."""
        deadline = None if self.limit_s is None else time.monotonic() + self.limit_s
        delay = _RETRY_S
        yield
        while deadline is None or time.monotonic() < deadline:
            if delay == _RETRY_S and self.on_wait is not None:
                self.on_wait(waiting_for())
            if self.give_up is not None and self.give_up():
                return
            time.sleep(delay)
            delay = min(delay * 1.5, _SLOWEST_RETRY_S)
            yield


class FileLock:
    """An exclusive lock on a file, of the kind that ``core.hardlink_lock`` asks for.

    Usually a ``flock``, which the kernel drops when its holder dies; the pid in the file is for
    people only. With `hardlink`, for file systems without ``flock``, the file exists as long as
    somebody holds the lock, or has died with it: then no wait is without limit. Each `held` block
    excludes all others, those of other threads too.
    """

    def __init__(self, path: str, *, hardlink: bool = False) -> None:
        self.path = path
        self._try: Callable[[str], _Release | None] = _try_hardlink if hardlink else _try_flock
        with _finding_turns:
            self._turn = _turns.setdefault(path, threading.Lock())
        self._hint = "wait until it has finished, and try again"
        self._is_lasting = hardlink
        if hardlink:
            self._hint += f"; if nothing runs any more, remove {path}"

    @contextmanager
    def held(self, patience: Patience | None = None) -> Iterator[None]:
        """Hold the lock for the length of a ``with`` block.

        Raises Busy, or ExprunError if the file cannot be a lock at all.
        """
        patience = patience or Patience()
        if self._is_lasting and patience.limit_s is None:
            patience = replace(patience, limit_s=_LONGEST_WAIT_S)
        # Threads take turns among themselves: that is neither news nor worth polling a file.
        if not self._take_turn(patience):
            raise self._busy()
        try:
            release = self._acquire(patience)
            try:
                yield
            finally:
                release()
        finally:
            self._turn.release()

    def _take_turn(self, patience: Patience) -> bool:
        quiet = Patience(limit_s=patience.limit_s, give_up=patience.give_up)
        return any(self._turn.acquire(timeout=_SLOWEST_RETRY_S) for _ in quiet.retries(str))

    def _acquire(self, patience: Patience) -> _Release:
        for _ in patience.retries(
            lambda: f"another process{_holder(self.path)} to release the project"
        ):
            try:
                release = self._try(self.path)
            except OSError as error:
                raise ExprunError(f"cannot be locked: {error.strerror}", where=self.path) from error
            if release is not None:
                return release
        raise self._busy()

    def _busy(self) -> Busy:
        return Busy(
            f"another process{_holder(self.path)} is working in this project",
            where=self.path,
            hint=self._hint,
        )


class RepoLock(FileLock):
    """DVC's lock of the whole project in `tmp_dir`, its ``.dvc/tmp``."""

    def __init__(self, tmp_dir: str, *, hardlink: bool = False) -> None:
        super().__init__(os.path.join(tmp_dir, "lock"), hardlink=hardlink)


def _try_flock(path: str) -> _Release | None:
    """Take the lock as the library ``zc.lockfile`` does; None if another has it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        note = b" %d\n" % os.getpid()
        if os.pread(descriptor, len(note) + 1, 0) != note:
            os.pwrite(descriptor, note, 0)
            os.ftruncate(descriptor, len(note))
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return partial(_unlock, descriptor)


def _open(path: str) -> int:
    # Not through a link: a repository could bring one along to have a file elsewhere overwritten.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o666)


def _unlock(descriptor: int) -> None:
    # A command that another thread starts just now has the descriptor, too, until its exec.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _try_hardlink(path: str) -> _Release | None:
    """Take the lock as the library ``flufl.lock`` does; None if another has it.

    Only one claim can be linked to the lock's name. Its time says until when the lock is meant to
    be held: in a year, as DVC has it.
    """
    directory = os.path.dirname(path)
    os.makedirs(directory, exist_ok=True)
    claim = os.path.join(directory, f"{os.urandom(16).hex()}.lock")
    with open(claim, "x", encoding="utf-8") as file:
        file.write(claim)
    try:
        until = time.time() + _HARDLINK_LIFETIME_S
        os.utime(claim, (until, until))
        os.link(claim, path)
    except FileExistsError:
        os.unlink(claim)
        _remove_expired(path)
        return None
    except BaseException:
        os.unlink(claim)
        raise
    return partial(_unlink_both, path, claim)


def _remove_expired(path: str) -> None:
    """Remove what is no lock any more, if it ever was: the file of a ``flock`` stays behind."""
    with suppress(FileNotFoundError):
        if os.stat(path).st_mtime + _CLOCK_TOLERANCE_S < time.time():
            os.unlink(path)


def _unlink_both(path: str, claim: str) -> None:
    os.unlink(path)
    os.unlink(claim)


def _holder(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return f" (pid {int(file.read(32))})"
    except (OSError, ValueError):
        return ""
