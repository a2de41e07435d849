"""What one stage at a time may hold, over all processes that run stages of a project.

A scheduler hands out its own mutexes and GPUs; that two processes do not hand out the same ones is
seen to by kernel locks on files, one for each name. Whoever dies lets go of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from exprun.abc import StopRequest

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Exclusion:
    """Names that are held through files in `directory`."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

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
                lock = self._open(name)
                locks.callback(os.close, lock)
                # A command that is started just now has the descriptor, too, until its exec.
                locks.callback(fcntl.flock, lock, fcntl.LOCK_UN)
                await _wait_for(lock, stop, lambda name=name: on_wait(name))  # type: ignore[misc]
            yield

    def _open(self, name: str) -> int:
        file = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        return os.open(os.path.join(self._directory, file), _FLAGS, 0o600)


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
