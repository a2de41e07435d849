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
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exprun.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RETRY_S = 0.02
_SLOWEST_RETRY_S = 0.2


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

    def retries(self, waiting_for: str) -> Iterator[None]:
        """Yields before each attempt, and ends when it is time to give up."""
        deadline = None if self.limit_s is None else time.monotonic() + self.limit_s
        delay = _RETRY_S
        yield
        while deadline is None or time.monotonic() < deadline:
            if delay == _RETRY_S and self.on_wait is not None:
                self.on_wait(waiting_for)
            if self.give_up is not None and self.give_up():
                return
            time.sleep(delay)
            delay = min(delay * 1.5, _SLOWEST_RETRY_S)
            yield


class FileLock:
    """An exclusive ``flock`` on a file, in the format of the library ``zc.lockfile``.

    The pid in the file is information for people only. Each `held` block excludes all others,
    also those of other threads.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._turn = threading.Lock()

    @contextmanager
    def held(self, patience: Patience | None = None) -> Iterator[None]:
        """Hold the lock for the length of a ``with`` block. Raises Busy."""
        patience = patience or Patience()
        descriptor = self._acquire(patience)
        try:
            yield
        finally:
            os.close(descriptor)
            self._turn.release()

    def _acquire(self, patience: Patience) -> int:
        # Threads take turns among themselves: that is neither news nor worth polling a file.
        if not self._take_turn(patience):
            raise self._busy()
        try:
            for _ in patience.retries(
                f"another process{_holder(self.path)} to release the project"
            ):
                descriptor = _try_lock(self.path)
                if descriptor is not None:
                    return descriptor
        except BaseException:
            self._turn.release()
            raise
        self._turn.release()
        raise self._busy()

    def _take_turn(self, patience: Patience) -> bool:
        quiet = Patience(limit_s=patience.limit_s, give_up=patience.give_up)
        return any(self._turn.acquire(timeout=_SLOWEST_RETRY_S) for _ in quiet.retries(""))

    def _busy(self) -> Busy:
        return Busy(
            f"another process{_holder(self.path)} is working in this project",
            where=self.path,
            hint="wait until it has finished, and try again",
        )


class RepoLock(FileLock):
    """DVC's lock of the whole project in `tmp_dir`, its ``.dvc/tmp``."""

    def __init__(self, tmp_dir: str) -> None:
        super().__init__(os.path.join(tmp_dir, "lock"))


def _try_lock(path: str) -> int | None:
    """A descriptor that holds the lock as long as it is open; None if another has it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, flags, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        note = b" %d\n" % os.getpid()
        os.pwrite(descriptor, note, 0)
        os.ftruncate(descriptor, len(note))
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _holder(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return f" (pid {int(file.read(32))})"
    except (OSError, ValueError):
        return ""
