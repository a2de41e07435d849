"""What one stage at a time may hold, over all processes that run stages of a project.

A scheduler hands out its own mutexes and GPUs; that two processes do not hand out the same ones is
seen to by kernel locks on files, one for each name. Whoever dies lets go of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from exprun.abc import StopRequest

WORKSPACE = "workspace"
"""What an experiment holds that runs in the user's workspace."""
ORPHANS = "orphans"
"""What is held while the processes of killed sessions are ended."""

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Exclusion:
    """Names that are held through files in `state_dir`, a project's."""

    def __init__(self, state_dir: str) -> None:
        self._directory = os.path.join(state_dir, "locks")

    @asynccontextmanager
    async def held(
        self, names: Iterable[str], stop: StopRequest, on_wait: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Hold all `names`; `on_wait` is told of one that another process holds.

        When `stop` is requested the wait ends, and what is still missing is not held.
        """
        with ExitStack() as locks:
            # All take them in the same order, so none waits for one that waits for it.
            for name in sorted(names):
                lock = self._open(name, locks)
                await _wait_for(lock, stop, lambda name=name: on_wait(name))  # type: ignore[misc]
            yield

    @contextmanager
    def held_at_once(self, name: str) -> Iterator[bool]:
        """Hold `name` unless another does; whether that is so."""
        with ExitStack() as locks:
            yield _take(self._open(name, locks))

    def _open(self, name: str, locks: ExitStack) -> int:
        file = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        lock = os.open(os.path.join(self._directory, file), _FLAGS, 0o600)
        locks.callback(os.close, lock)
        # A command that is started just now has the descriptor, too, until its exec.
        locks.callback(fcntl.flock, lock, fcntl.LOCK_UN)
        return lock


async def _wait_for(lock: int, stop: StopRequest, on_wait: Callable[[], None]) -> None:
    pause_s = _FIRST_PAUSE_S
    while stop.reason is None and not _take(lock):
        if pause_s == _FIRST_PAUSE_S:
            on_wait()
        with anyio.move_on_after(pause_s):
            await stop.above(None)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
