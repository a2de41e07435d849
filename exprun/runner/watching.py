"""What others do to the queue while a part of it is run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from exprun import events
from exprun.model.job import CancelReason
from exprun.queue.records import STARTABLE, State
from exprun.runner import threads
from exprun.runner.failures import FAULTS
from exprun.scheduler import vocabulary as words

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from exprun.queue.attempts import Orchestrator
    from exprun.queue.queue import Queue
    from exprun.queue.records import Entry
    from exprun.runner.session import Session
    from exprun.scheduler.vocabulary import Stimulus

POLL_S = 0.5


class Watch:
    """Passes on what concerns the experiments that `orchestrator` runs: those of `ids`, or all."""

    def __init__(
        self,
        session: Session,
        queue: Queue,
        orchestrator: Orchestrator,
        *,
        ids: Container[str] | None = None,
    ) -> None:
        self._session = session
        self._queue = queue
        self._orchestrator = orchestrator
        self._ids = ids
        self._heeded: set[str] = set()

    async def run(self, tell: Callable[[Stimulus], None]) -> None:
        """Tell of more experiments, their order, a wish to stop, and what those leave that run a
        part of the queue, and stop or are killed. Ends when it is cancelled.

        What somebody had stopped by name, whoever ran it, is not for us to run.
        """
        heard = await threads.run_sync(self._queue.heard)
        entries = await self._unfinished()
        known = {entry.id for entry in entries if entry.state is not State.HELD}
        theirs = self._run_elsewhere(entries)
        self._to_stop([entry for entry in entries if entry.state is not State.RUNNING])
        while True:
            await anyio.sleep(POLL_S)
            if self._orchestrator.is_draining:
                tell(words.DrainRequested())
            try:
                now = await threads.run_sync(self._queue.heard)
                if await self._are_gone(set(theirs.values())):
                    await self._session.make_way()
                elif now == heard:
                    continue
                entries = await self._unfinished()
            except FAULTS:
                # For want of descriptors, say. What others did is seen the next time.
                continue
            heard = now
            for id in self._to_stop(entries):
                tell(words.CancelRequested(CancelReason.REQUESTED, id))
            left = [entry for entry in entries if entry.id in theirs and not was_stopped(entry)]
            offered = [entry.id for entry in left if entry.state in STARTABLE]
            new = [e for e in entries if e.state in STARTABLE and e.id not in known]
            known.update(entry.id for entry in new)
            # One that is released is as good as new.
            known.difference_update(entry.id for entry in entries if entry.state is State.HELD)
            theirs = self._run_elsewhere(entries)
            for entry in new:
                self._session.emit(events.ExperimentQueued(experiment=entry.name))
            if offered := [*offered, *(entry.id for entry in new)]:
                tell(words.ExperimentsOffered(tuple(offered)))
            tell(words.ExperimentsOrdered(tuple(e.id for e in entries if e.state in STARTABLE)))

    async def _unfinished(self) -> list[Entry]:
        entries = await threads.run_sync(self._queue.unfinished)
        return [entry for entry in entries if self._ids is None or entry.id in self._ids]

    def _to_stop(self, entries: Sequence[Entry]) -> list[str]:
        """Those that somebody wants to be stopped, each wish once."""
        wished = {e.last.id: e.id for e in entries if e.last and was_stopped(e)}
        news = wished.keys() - self._heeded
        self._heeded |= news
        return [wished[attempt] for attempt in news]

    def _run_elsewhere(self, entries: Sequence[Entry]) -> dict[str, str]:
        """The experiments that other processes run, and the lease of each."""
        return {
            entry.id: entry.last.orchestrator
            for entry in entries
            if entry.state is State.RUNNING
            and entry.last
            and entry.last.orchestrator != self._orchestrator.id
        }

    async def _are_gone(self, leases: set[str]) -> bool:
        """Whether one of those who hold the leases has died."""
        if not leases:
            return False
        return not await threads.run_sync(lambda: all(map(self._queue.is_alive, leases)))


def was_stopped(entry: Entry) -> bool:
    """Whether somebody asked for the end of its last attempt."""
    return entry.last is not None and entry.last.stop_wished
