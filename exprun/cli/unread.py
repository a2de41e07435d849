"""Output that nobody takes: it may hold up a run, as a pager does, but not the end of one.

A full pipe or a stopped terminal blocks who writes to it, the event loop too, which then hears of
no signal. So the signals interrupt what is being written, and from the first one on a timer does;
a stream that still takes nothing leads nowhere from then on.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType
    from typing import Self

STDOUT, STDERR = 1, 2
_PATIENCE_S = 0.3
_PERIOD_S = 0.5


class Unread:
    """Streams, by descriptor, that are given up if an end was asked for and nobody reads them."""

    def __init__(self) -> None:
        self._descriptors = [STDOUT, STDERR]
        self._nowhere = -1

    def add(self, descriptor: int) -> None:
        """Look after one more."""
        self._descriptors.append(descriptor)

    def __enter__(self) -> Self:
        self._nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        os.close(self._nowhere)

    def heed(self, numbers: Iterable[signal.Signals]) -> None:
        """Look after the streams from when one of these signals comes.

        An event loop that is woken by them still is.
        """
        for number in (*numbers, signal.SIGALRM):
            # Unlike the handlers of an event loop, this one has a signal interrupt a write.
            signal.signal(number, self._look)

    def _look(self, _: int, __: FrameType | None) -> None:
        until = time.monotonic() + _PATIENCE_S
        for descriptor in self._descriptors:
            poller = select.poll()
            poller.register(descriptor, select.POLLOUT)
            if not poller.poll(max(0.0, until - time.monotonic()) * 1000):
                os.dup2(self._nowhere, descriptor)
        signal.setitimer(signal.ITIMER_REAL, _PERIOD_S)
