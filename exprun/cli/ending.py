"""How a session ends before its time: signals, impatience, and output that nobody reads."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING

import anyio

from exprun.executors.descendants import find_marked
from exprun.model.job import CancelReason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.abc import TaskGroup

    from exprun.cli.unread import Unread
    from exprun.runner.session import Session

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_PATIENCE_S = 2.0
_PAUSE_S = 0.01


class Ending:
    """Why a session is to end, if it is; asks it to, and in the end does without asking."""

    def __init__(self, session: Session, *, grace_s: float) -> None:
        self.number: int | None = None
        self.begun = anyio.Event()
        self._session = session
        self._grace_s = grace_s

    def begin(self, number: int) -> None:
        """Take note of a signal, sent to us or as good as sent, and pass on what it asks for."""
        is_first = self.number is None
        self.number = number if is_first else self.number
        self._session.cancel(_reason(number) if is_first else CancelReason.KILLED)
        self.begun.set()

    async def watch(self, numbers: AsyncIterator[signal.Signals], tasks: TaskGroup) -> None:
        """Pass on signals. If the session does not end in time, the process does."""
        async for number in numbers:
            has_stages = self.number is None and self._session.is_running
            self.begin(number)
            has_grace = has_stages and number != signal.SIGQUIT
            tasks.start_soon(self._force, (self._grace_s if has_grace else 0.0) + _PATIENCE_S)

    async def _force(self, delay_s: float) -> None:
        """End the process where a thread cannot be told to: it may be hashing for minutes.

        That is as harmless as SIGKILL: every file is written whole or not at all.
        """
        await anyio.sleep(delay_s)
        assert self.number is not None
        # Those who wait for pushes may have all threads, and go on when these are gone.
        marks = tuple(self._session.push_marks)
        with anyio.move_on_after(_PATIENCE_S, shield=True):
            while pushing := list(chain.from_iterable(map(find_marked, marks))):
                for pid in pushing:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await anyio.sleep(_PAUSE_S)
        sys.stderr.write("WARNING: interrupted in the midst of its work\n")
        sys.stderr.flush()
        os._exit(128 + self.number)


def _reason(number: int) -> CancelReason:
    if number == signal.SIGQUIT:  # Ctrl-\ is for whoever has no patience.
        return CancelReason.KILLED
    return CancelReason.INTERRUPTED if number == signal.SIGINT else CancelReason.REQUESTED


@contextmanager
def received_signals(unread: Unread) -> Iterator[AsyncIterator[signal.Signals]]:
    """The signals that ask for an end, as they come; after the block they end the process.

    What the caller has made us ignore (``nohup``) stays ignored. No `unread` stream keeps us from
    hearing of them.
    """
    wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    try:
        with anyio.open_signal_receiver(*wanted) as signals:
            unread.heed(wanted)
            yield signals
    finally:
        # The event loop puts Python's own handler back, which would print a traceback.
        for number in wanted:
            signal.signal(number, signal.SIG_DFL)
