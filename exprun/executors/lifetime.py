"""One local job from its first process to the end of its last descendant.

Ending a job: SIGINT (when the user interrupted) or SIGTERM to the process group, the grace,
SIGTERM, a second, SIGKILL; a higher reason shortens the wait, `KILLED` skips it. Once the command
itself has ended, whatever it left behind is found by mark and session and ended the same way;
without a request it is first given half a second to end by itself.
"""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING

import anyio

from exprun.errors import ExecutorError
from exprun.executors.beside import run_beside
from exprun.executors.descendants import Family, with_mark
from exprun.executors.spawn import CannotStart, start
from exprun.executors.survivors import Step, Survivors
from exprun.model.job import (
    CancelReason,
    Exited,
    Killed,
    Lost,
    NotStarted,
    TimedOut,
)
from exprun.model.values import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exprun.abc import OutputSink, StopRequest
    from exprun.executors.spawn import Leader, Stdio
    from exprun.model.job import Command, JobOutcome, JobSpec

TERM_S = 1.0
KILL_S = 2.0
LEAK_S = 0.5
_HURRY_S = 2.0


class Lifetime:
    """Runs one job once. The log and the streams are others' business."""

    def __init__(
        self,
        job: JobSpec,
        output: OutputSink,
        stop: StopRequest,
        stdio: Stdio,
        *,
        started: Callable[[int], None],
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self._job = job
        self._output = output
        self._stop = stop
        self._stdio = stdio
        self._started = started
        self._flush = flush
        self._env = with_mark(job.env, job.mark)
        self._family = Family(job.mark)
        self._survivors = Survivors(self._family, stop)
        self._leader: Leader | None = None
        self._index: int | None = None
        self._began = anyio.current_time()
        self._stopping: CancelReason | None = None
        self._deadline = 0.0
        self._has_timed_out = False
        self._sent: set[int] = set()
        self._waiting = anyio.CancelScope()

    async def run(self) -> JobOutcome:
        """Run the commands, end what they leave behind, and tell how it went."""
        try:
            outcome = await self._run_to_the_end()
        except BaseException:
            self._kill()
            raise
        finally:
            if self._leader is not None:
                self._family.lead_no_more()
                self._leader.reap()
        return replace(outcome, leftovers=self._survivors.report())

    async def _run_to_the_end(self) -> JobOutcome:
        try:
            outcome = await self._run_commands()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._end_leader()
                await self._end_survivors()
            raise
        with anyio.CancelScope(shield=True):
            await self._end_survivors()
        return outcome

    def _kill(self) -> None:
        """Kill what there still is: no shield keeps a native task from being cancelled again."""
        if self._leader is None or (self._job.allow_daemons and self._stopping is None):
            return
        self._leader.signal_group(signal.SIGKILL)
        self._survivors.kill(session=self._leader.pid if self._job.allow_daemons else None)

    async def _run_commands(self) -> JobOutcome:
        outcome: JobOutcome = Exited(code=0, duration_s=0.0)
        for index, command in enumerate(self._job.commands):
            if index:
                await self._is_done(self._flush)
            if self._stopping is not None or self._stop.reason is not None:
                return self._cancelled(outcome)
            try:
                self._start(index, command)
            except CannotStart as error:
                return NotStarted(reason=str(error), command=index, duration_s=self._elapsed())
            assert self._leader is not None
            if not await self._is_done(self._leader.wait):
                await run_beside(self._press, self._leader_end)
            outcome = self._ending()
            if not isinstance(outcome, Exited) or outcome.code != 0:
                break
        return outcome

    def _start(self, index: int, command: Command) -> None:
        self._output.command_started(index, command)
        before = self._leader
        try:
            leader = start(command.argv, cwd=self._job.cwd, env=self._env, stdio=self._stdio)
        except ExecutorError as error:
            error.nothing_ran &= before is None
            raise
        self._leader = leader
        self._index = index
        self._family.leads(leader.pid)
        if before is None:
            self._started(leader.pid)
        else:
            before.reap()

    async def _leader_end(self) -> None:
        assert self._leader is not None
        with anyio.CancelScope() as self._waiting:
            await self._leader.wait()

    def _ending(self) -> JobOutcome:
        """How the last command ended; asked as soon as it has, for requests go on coming."""
        assert self._leader is not None
        status = self._leader.status()
        elapsed = self._elapsed()
        outcome: JobOutcome
        if status is None:
            reason = "the process could not be ended" if self._stopping else "its end was not seen"
            outcome = Lost(reason=reason, duration_s=elapsed)
        elif self._has_timed_out:
            assert self._job.timeout_s is not None
            return TimedOut(timeout_s=self._job.timeout_s, duration_s=elapsed, command=self._index)
        elif status < 0:
            outcome = Killed(signal=-status, duration_s=elapsed)
        else:
            outcome = Exited(code=status, duration_s=elapsed)
        return replace(outcome, command=self._index, cancelled=self._reason())

    def _cancelled(self, outcome: JobOutcome) -> JobOutcome:
        """The outcome of a job that was stopped before its next command."""
        if self._has_timed_out:
            assert self._job.timeout_s is not None
            return TimedOut(
                timeout_s=self._job.timeout_s, duration_s=self._elapsed(), command=self._index
            )
        reason = self._stop.reason
        if self._index is None:
            why = "it was cancelled before it started"
            return NotStarted(reason=why, duration_s=0.0, cancelled=reason)
        return replace(outcome, cancelled=reason)

    def _reason(self) -> CancelReason | None:
        """Why the command was stopped, if it was."""
        if self._stopping is None:
            return None
        return max(self._stopping, self._stop.reason or self._stopping)

    def _elapsed(self) -> float:
        return anyio.current_time() - self._began

    async def _is_done(self, wait: Callable[[], Awaitable[None]]) -> bool:
        """Whether `wait` has returned before the job was asked to end, or its time was up."""
        timeout_s = self._job.timeout_s
        deadline = math.inf if timeout_s is None else self._began + timeout_s
        with anyio.CancelScope(deadline=deadline) as scope, self._stop.cancelling(scope):
            await wait()
        if scope.cancelled_caught:
            self._has_timed_out = self._stop.reason is None
            self._stop_because(self._stop.reason or CancelReason.TIMED_OUT)
        return not scope.cancelled_caught

    def _stop_because(self, reason: CancelReason) -> None:
        if self._stopping is None:
            self._stopping = reason
            self._deadline = anyio.current_time() + self._job.grace_s

    async def _end_leader(self) -> None:
        """Stop the command if it still runs. The caller has been cancelled."""
        if self._leader is None:
            return
        self._stop_because(CancelReason.REQUESTED)
        await run_beside(self._press, self._leader_end)

    async def _press(self) -> None:
        """Signal the command's group, more and more urgently; cancelled when the command ends."""
        assert self._stopping is not None
        gentle = {signal.SIGINT: 0.0} if self._stopping is CancelReason.INTERRUPTED else {}
        gentle[signal.SIGTERM] = TERM_S if gentle else 0.0
        reason = self._stopping
        for number, extra_s in gentle.items():
            if reason is not CancelReason.KILLED:
                self._signal(number)
                reason = await self._patience(reason, extra_s)
        self._signal(signal.SIGKILL)
        await anyio.sleep(KILL_S)
        self._waiting.cancel()

    def _signal(self, number: int) -> None:
        if self._leader is not None and number not in self._sent:
            self._sent.add(number)
            self._leader.signal_group(number)

    async def _patience(self, reason: CancelReason, extra_s: float) -> CancelReason:
        """Wait for the deadline; a higher reason brings it near, and the highest ends the wait."""
        while reason is not CancelReason.KILLED:
            with anyio.CancelScope(deadline=self._deadline + extra_s) as wait:
                reason = await self._stop.above(reason)
                self._deadline = min(self._deadline, anyio.current_time() + _HURRY_S)
            if wait.cancelled_caught:
                break
        return reason

    async def _end_survivors(self) -> None:
        if self._leader is None or (self._job.allow_daemons and self._stopping is None):
            return
        session = self._leader.pid if self._job.allow_daemons else None
        await self._survivors.end(self._steps(), session=session)

    def _steps(self) -> list[Step]:
        """What to do with survivors: they have had their signal and part of the grace already."""
        now = anyio.current_time()
        if self._stopping is None:
            term_at = now + LEAK_S
            kill_at = term_at + self._job.grace_s
        else:
            term_at = self._deadline
            kill_at = term_at + TERM_S
        return [
            Step(None, term_at),
            Step(signal.SIGTERM, kill_at),
            Step(signal.SIGKILL, max(now, kill_at) + KILL_S),
        ]
