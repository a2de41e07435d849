"""Queueing what is submitted to a runner: all of it or, if the caller is cancelled, nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio import CancelScope

from exprun.errors import ExprunError
from exprun.runner import threads
from exprun.runner.failures import failure_from

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exprun.queue.records import Entry
    from exprun.runner.submitted import ExperimentHandle, Submitted


class Submission:
    """One request on its way into the queue, and the caller who waits for it.

    The two are tasks of their own: a native task that is cancelled does not wait for its thread.
    """

    def __init__(self, submitted: Submitted) -> None:
        self._submitted = submitted
        self._is_wanted = True
        self._entries: Sequence[Entry] = ()
        self._failure: Exception | None = None
        self._queued = anyio.Event()
        self._answered = anyio.Event()

    def is_unwanted(self) -> bool:
        """Whether the caller has been cancelled."""
        return not self._is_wanted

    async def wait(self) -> list[ExperimentHandle]:
        """What was queued, offered to the scheduler; or the error for which nothing was."""
        try:
            await self._queued.wait()
        except BaseException:
            self._is_wanted = False
            raise
        finally:
            self._answered.set()
        if isinstance(self._failure, OSError):
            reason = failure_from(self._failure).message
            raise ExprunError(f"nothing was queued: {reason}") from self._failure
        if self._failure is not None:
            raise self._failure
        return self._submitted.add(self._entries)

    async def carry_out(self, queue_up: Callable[[], Sequence[Entry]], turn: anyio.Lock) -> None:
        """Queue the experiments, and take them back if nobody wants them by then."""
        with CancelScope(shield=True):
            # The next one may have the same name, so it waits until these are gone.
            async with turn:
                if self._is_wanted:
                    await self._queue(queue_up)
                    await self._answered.wait()
                if not self._is_wanted and self._entries:
                    await self._submitted.take_back(self._entries)

    async def _queue(self, queue_up: Callable[[], Sequence[Entry]]) -> None:
        try:
            self._entries = await threads.run_sync(queue_up)
        except Exception as error:
            self._failure = error
        finally:
            self._queued.set()
