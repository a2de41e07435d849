"""The experiments submitted to a runner: each has a handle, which learns how it ended."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
from anyio import CancelScope

from exprun import events
from exprun.git.experiment_refs import ExperimentRef
from exprun.model.experiment import ExperimentResult, StageResult
from exprun.model.job import CancelReason
from exprun.queue.records import WAITING, State
from exprun.runner import threads
from exprun.runner.driver import NotOpened
from exprun.runner.failures import FAULTS
from exprun.runner.watching import POLL_S, was_stopped
from exprun.scheduler import vocabulary as words
from exprun.scheduler.vocabulary import StageState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set

    from exprun.queue.queue import Queue
    from exprun.queue.records import Entry
    from exprun.runner.driver import Closed, Source
    from exprun.runner.reproduction import Emit, Reproduction

    _Change = tuple[Callable[[Sequence[str]], None], "ExperimentHandle"]

_MORE_LOOKS = 10
_CANCELLED = "cancelled"
_NOT_STARTED = "it cannot be started; it is still queued"

_RESULTS = {
    StageState.UNCHANGED: StageResult.UNCHANGED,
    StageState.RESTORED: StageResult.RESTORED,
    StageState.SUCCEEDED: StageResult.SUCCEEDED,
    StageState.FAILED: StageResult.FAILED,
    StageState.IGNORED: StageResult.FAILED,
    StageState.CANCELLED: StageResult.CANCELLED,
    StageState.BLOCKED: StageResult.BLOCKED,
}


class ExperimentHandle:
    """An experiment that was submitted. To be used on the event loop's thread."""

    def __init__(self, entry: Entry, cancel: Callable[[ExperimentHandle], None]) -> None:
        self.id = entry.id
        self.name = entry.name
        self.baseline = entry.baseline
        self._cancel = cancel
        self._is_cancelled = False
        self._result: ExperimentResult | None = None
        self._ended = anyio.Event()

    @property
    def result(self) -> ExperimentResult | None:
        """How the experiment ended; None while it waits or runs."""
        return self._result

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called in time."""
        return self._is_cancelled

    async def wait(self) -> ExperimentResult:
        """How the experiment ended, once it has. A failed experiment is a result, no exception.

        Any number of tasks may wait. Cancelling one of them does not cancel the experiment.
        """
        await self._ended.wait()
        assert self._result is not None
        return self._result

    def cancel(self) -> None:
        """Stop the experiment if it runs, else do not start it; after its end, nothing.

        Never waits. What had not finished is held in the queue, where ``exprun queue release`` and
        ``remove`` find it.
        """
        if self._result is None and not self._is_cancelled:
            self._is_cancelled = True
            self._cancel(self)

    def settle(self, result: ExperimentResult) -> None:
        """Tell the end to those who wait."""
        self._result = result
        self._ended.set()


class Submitted:
    """A source that lets the handles of its experiments know how they end.

    `inner` claims and stores them, as entries of `queue`, in the name of `orchestrator`.
    """

    def __init__(self, inner: Source, queue: Queue, orchestrator: str, emit: Emit) -> None:
        self._inner = inner
        self._queue = queue
        self._orchestrator = orchestrator
        self._emit = emit
        self._handles: dict[str, ExperimentHandle] = {}
        self._open: set[str] = set()
        self._elsewhere: dict[str, State] = {}
        self._tell: Callable[[words.Stimulus], None] | None = None
        self._heard: int | None = None
        self._change, self._changes = anyio.create_memory_object_stream["_Change"](float("inf"))

    # For the runner

    def connect(self, tell: Callable[[words.Stimulus], None]) -> None:
        """Use `tell` to reach the scheduler, until `disconnect`."""
        self._tell = tell

    def add(self, entries: Sequence[Entry]) -> list[ExperimentHandle]:
        """Have these experiments run."""
        handles = [ExperimentHandle(entry, self._cancel) for entry in entries]
        for handle in handles:
            self._handles[handle.id] = handle
            self._emit(events.ExperimentQueued(experiment=handle.name))
        if self._tell is None:
            self.disconnect()
        else:
            self._tell(words.ExperimentsOffered(tuple(handle.id for handle in handles)))
        return handles

    async def change_queue(self) -> None:
        """Carry out what is to change in the queue, until `disconnect` and whatever is cancelled.

        Handles are cancelled where there is no task, and none can be started: in callbacks.
        """
        with CancelScope(shield=True), self._changes:
            async for change, handle in self._changes:
                await self._do(change, handle)

    async def take_back(self, entries: Sequence[Entry]) -> None:
        """Take experiments out of the queue that were never added here."""
        await self._do(self._queue.remove, *entries)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will run."""
        return self._tell is None

    async def wait_for_all(self) -> None:
        """Wait until no experiment is waiting or running."""
        while self._handles:
            await next(iter(self._handles.values())).wait()

    def disconnect(self) -> None:
        """Nothing more will run: what has not ended stays in the queue."""
        self._tell = None
        for handle in list(self._handles.values()):
            self._end(handle, None, reason="the runner ended before it did; it is still queued")
        self._change.close()

    async def look(self) -> None:
        """Take note of what other processes did to the experiments; of all of it, or it raises."""
        # The death of one who ran an experiment leaves no trace in the queue.
        ids = set(self._elsewhere)
        heard = await threads.run_sync(self._queue.heard)
        if heard != self._heard:
            entries = await threads.run_sync(self._queue.unfinished)
            self._send(words.ExperimentsOrdered(tuple(entry.id for entry in entries)))
            waiting = self._handles.keys() - ids - self._open
            ids |= self._open | (waiting - _in_line(entries))
        found = await threads.run_sync(self._look_up, ids) if ids else []
        self._heard = heard
        for id, entry in found:
            if id in self._open:
                if entry and was_stopped(entry):
                    self._send(words.CancelRequested(CancelReason.REQUESTED, id))
            elif id in self._handles:
                if id not in self._elsewhere:
                    self._send(words.ExperimentWithdrawn(id))
                self._judge(id, entry)

    # For the driver

    async def open(self, experiment: str) -> tuple[Reproduction, words.ExperimentPlan] | NotOpened:
        """See `exprun.runner.driver.Source`."""
        if experiment not in self._handles:
            return NotOpened(failed=False)
        # From now on cancelling goes through the scheduler.
        self._open.add(experiment)
        opened = await self._inner.open(experiment)
        if isinstance(opened, NotOpened):
            entry = await self._look_at(experiment)
            self._open.discard(experiment)
            handle = self._handles.get(experiment)
            if handle is not None and opened.ended is not None:
                ended = opened.ended
                self._settle(handle, entry, rev=ended.rev, reason=ended.reason)
            elif handle is not None and opened.failed:
                # To offer it again at once would fail at once.
                self._end(handle, None, reason=_NOT_STARTED)
            else:
                self._judge(experiment, entry)
        return opened

    async def close(
        self,
        reproduction: Reproduction,
        verdict: words.ExperimentVerdict,
        states: tuple[StageState, ...],
    ) -> Closed:
        """See `exprun.runner.driver.Source`."""
        closed = await self._inner.close(reproduction, verdict, states)
        entry = await self._look_at(reproduction.id)
        self._open.discard(reproduction.id)
        stages = {
            reproduction.address(index): _RESULTS[state] for index, state in enumerate(states)
        }
        handle = self._handles.get(reproduction.id)
        if handle is not None:
            if handle.is_cancelled and entry is not None and entry.state in WAITING:
                await self._do(self._queue.hold, handle)
            is_cancelled = handle.is_cancelled and closed.reason == events.INTERRUPTED
            self._settle(
                handle,
                entry,
                rev=closed.rev,
                reason=_CANCELLED if is_cancelled else closed.reason,
                stages=stages,
            )
        return closed

    # Inside

    async def _look_at(self, id: str) -> Entry | None:
        """One experiment as it stands now. What keeps the queue from being read may pass."""
        for _ in range(_MORE_LOOKS):
            with suppress(*FAULTS):
                return await threads.run_sync(self._queue.entry, id)
            await anyio.sleep(POLL_S)
        return await threads.run_sync(self._queue.entry, id)

    def _look_up(self, ids: Iterable[str]) -> list[tuple[str, Entry | None]]:
        return [(id, self._queue.entry(id)) for id in ids]

    def _send(self, stimulus: words.Stimulus) -> None:
        if self._tell is not None:
            self._tell(stimulus)

    def _cancel(self, handle: ExperimentHandle) -> None:
        if handle.id in self._open:
            self._send(words.CancelRequested(CancelReason.REQUESTED, handle.id))
        elif self._elsewhere.get(handle.id) is State.RUNNING:
            self._change.send_nowait((self._queue.wish_stop, handle))
        else:
            self._send(words.ExperimentWithdrawn(handle.id))
            self._change.send_nowait((self._queue.hold, handle))
            self._end(handle, None, reason="cancelled before it started")

    async def _do(
        self, change: Callable[[Sequence[str]], None], *experiments: ExperimentHandle | Entry
    ) -> None:
        """Change the queue, even when everything is being cancelled."""
        try:
            with CancelScope(shield=True):
                await threads.run_sync(change, [each.id for each in experiments])
        except FAULTS as error:
            name = experiments[0].name
            self._emit(events.WarningRaised(message=f"queue: {error}", experiment=name))

    def _judge(self, id: str, entry: Entry | None) -> None:
        """Find out what became of an experiment that is not open here."""
        handle = self._handles.get(id)
        if handle is None:
            return
        if entry is None:
            self._end(handle, None, reason="removed from the queue")
        elif entry.state in (State.SUCCESS, State.FAILED):
            self._end(handle, entry)
        elif was_stopped(entry) and not handle.is_cancelled and entry.state in WAITING:
            self._end(handle, entry)
        elif handle.is_cancelled and entry.state in WAITING:
            self._change.send_nowait((self._queue.hold, handle))
            self._end(handle, entry)
        elif entry.state in (State.RUNNING, State.HELD):
            self._elsewhere[id] = entry.state
        else:
            # Another process gave it back.
            self._elsewhere.pop(id, None)
            self._send(words.ExperimentsOffered((id,)))

    def _end(
        self, handle: ExperimentHandle, entry: Entry | None, *, reason: str | None = None
    ) -> None:
        """Settle an experiment as the queue has it, and tell of its end unless `inner` has."""
        last = entry.last if entry else None
        rev = last.rev if last else None
        if rev is None and reason is None:
            has_failed = entry is not None and entry.state is State.FAILED
            reason = _reason(entry) if has_failed or not handle.is_cancelled else _CANCELLED
        self._settle(handle, entry, rev=rev, reason=reason)
        ended_here = last and last.ended is not None and last.orchestrator == self._orchestrator
        if not ended_here:
            self._emit(
                events.ExperimentFinished(
                    experiment=handle.name, rev=rev, reason=reason, isolated=True
                )
            )

    def _settle(
        self,
        handle: ExperimentHandle,
        entry: Entry | None,
        *,
        rev: str | None,
        reason: str | None,
        stages: Mapping[str, StageResult] | None = None,
    ) -> None:
        self._handles.pop(handle.id, None)
        self._elsewhere.pop(handle.id, None)
        handle.settle(
            ExperimentResult(
                name=handle.name,
                baseline=handle.baseline,
                rev=rev,
                ref=str(ExperimentRef(handle.baseline, handle.name)) if rev else None,
                reason=reason,
                stages=dict(stages or {}),
                log_dir=self._queue.log_dir(entry.last) if entry and entry.last else None,
            )
        )


def _in_line(entries: Iterable[Entry]) -> Set[str]:
    """Those that wait or run, unless somebody had them stopped."""
    return {e.id for e in entries if e.state is not State.FAILED and not was_stopped(e)}


def _reason(entry: Entry | None) -> str:
    last = entry.last if entry else None
    return (last and (last.message or last.reason)) or State.INTERRUPTED.value
