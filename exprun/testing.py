"""Fakes for tests of programs that embed exprun: an executor that follows a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
from anyio import TASK_STATUS_IGNORED

from exprun.abc import StopRequest
from exprun.model.job import (
    CancelReason,
    Exited,
    JobHandle,
    Killed,
    Lost,
    NotStarted,
    TimedOut,
)
from exprun.model.values import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from anyio.abc import TaskStatus

    from exprun.abc import OutputSink, WorkspaceProvider
    from exprun.errors import ExecutorError
    from exprun.model.job import JobOutcome, JobSpec

_SIGINT, _SIGKILL, _SIGTERM = 2, 9, 15


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCommand:
    """How one command goes: its output, how long it takes, and its end.

    `takes_s` is slept with anyio, so a virtual clock works; `until` is waited for after that.
    `status` is negative for a signal. A deaf command ignores every signal but SIGKILL.
    """

    status: int = 0
    output: tuple[bytes, ...] = ()
    takes_s: float = 0.0
    until: anyio.Event | None = None
    is_deaf: bool = False
    cannot_start: str | None = None
    error: ExecutorError | None = None


@dataclass(slots=True)
class FakeExecutor:
    """Runs nothing. `script` says, by stage, how each command goes; by default all are good."""

    script: Mapping[str, tuple[FakeCommand, ...]] = field(default_factory=dict)
    capacity: int | None = None
    workspaces: WorkspaceProvider | None = None
    jobs: list[JobSpec] = field(default_factory=list)
    """All jobs that were started, in order."""
    running: dict[str, JobSpec] = field(default_factory=dict)
    """The jobs that run now, by mark."""
    logs: dict[str, bytes] = field(default_factory=dict)
    """What the log files would hold, by path."""

    @property
    def name(self) -> str:
        return "fake"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        return None

    async def run_job(
        self,
        job: JobSpec,
        output: OutputSink,
        *,
        stop: StopRequest | None = None,
        task_status: TaskStatus[JobHandle] = TASK_STATUS_IGNORED,
    ) -> JobOutcome:
        """See `exprun.abc.Executor.run_job`."""
        await anyio.lowlevel.checkpoint()
        run = _FakeRun(self, job, output, stop or StopRequest())
        handle = JobHandle(executor=self.name, native_id=None, mark=job.mark, log=job.log)
        if run.can_start:
            handle = replace(handle, native_id=str(len(self.jobs) + 1))
            self.jobs.append(job)
        task_status.started(handle)
        self.logs.setdefault(job.log, b"")
        self.running[job.mark] = job
        try:
            return await run.run()
        finally:
            del self.running[job.mark]

    async def attach_job(
        self, handle: JobHandle, output: OutputSink, *, stop: StopRequest | None = None
    ) -> JobOutcome:
        """A fake job dies with its orchestrator."""
        await anyio.lowlevel.checkpoint()
        return Lost(reason="its orchestrator ended before it did", duration_s=0.0)


class _FakeRun:
    """One job of a FakeExecutor."""

    def __init__(
        self, executor: FakeExecutor, job: JobSpec, output: OutputSink, stop: StopRequest
    ) -> None:
        self._executor = executor
        self._job = job
        self._output = output
        self._stop = stop
        self._began = anyio.current_time()
        script = executor.script.get(job.stage, ())
        missing = len(job.commands) - len(script)
        self._script = script[: len(job.commands)] + (FakeCommand(),) * missing

    @property
    def can_start(self) -> bool:
        first = self._script[0] if self._script else FakeCommand()
        return self._stop.reason is None and first.cannot_start is None and first.error is None

    async def run(self) -> JobOutcome:
        outcome: JobOutcome = Exited(code=0, duration_s=0.0)
        for index, (fake, command) in enumerate(zip(self._script, self._job.commands, strict=True)):
            if self._stop.reason is not None:
                return self._cancelled(outcome, index)
            if fake.error is not None:
                raise fake.error
            self._output.command_started(index, command)
            if fake.cannot_start is not None:
                return NotStarted(
                    reason=fake.cannot_start, command=index, duration_s=self._elapsed()
                )
            outcome = replace(await self._take(fake), command=index, duration_s=self._elapsed())
            if not isinstance(outcome, Exited) or outcome.code:
                break
        return outcome

    async def _take(self, fake: FakeCommand) -> JobOutcome:
        reason = CancelReason.TIMED_OUT
        is_done = False
        async with anyio.create_task_group() as tasks:

            async def work() -> None:
                nonlocal is_done
                await self._work(fake)
                is_done = True
                tasks.cancel_scope.cancel()

            tasks.start_soon(work)
            with anyio.move_on_after(self._job.timeout_s) as timer:
                reason = await self._stop.above(None)
            number, reason = await self._signalled(fake, reason)
            tasks.cancel_scope.cancel()
        if is_done:
            return _ended(fake.status)
        if timer.cancelled_caught:
            assert self._job.timeout_s is not None
            return TimedOut(timeout_s=self._job.timeout_s, duration_s=0.0)
        return Killed(signal=number, cancelled=reason, duration_s=0.0)

    async def _work(self, fake: FakeCommand) -> None:
        for data in fake.output:
            offset = len(self._executor.logs[self._job.log])
            self._executor.logs[self._job.log] += data
            if self._output.is_wanted:
                self._output.write(data, offset=offset)
            await anyio.lowlevel.checkpoint()
        await anyio.sleep(fake.takes_s)
        if fake.until is not None:
            await fake.until.wait()

    async def _signalled(self, fake: FakeCommand, reason: CancelReason) -> tuple[int, CancelReason]:
        """The signal that ends a stopped command, at the time it does."""
        if reason is CancelReason.KILLED:
            return _SIGKILL, reason
        if not fake.is_deaf:
            return (_SIGINT if reason is CancelReason.INTERRUPTED else _SIGTERM), reason
        with anyio.move_on_after(self._job.grace_s):
            while reason is not CancelReason.KILLED:
                reason = await self._stop.above(reason)
        return _SIGKILL, reason

    def _cancelled(self, outcome: JobOutcome, index: int) -> JobOutcome:
        if index:
            return replace(outcome, cancelled=self._stop.reason)
        why = "it was cancelled before it started"
        return NotStarted(reason=why, cancelled=self._stop.reason, duration_s=0.0)

    def _elapsed(self) -> float:
        return anyio.current_time() - self._began


def _ended(status: int) -> JobOutcome:
    if status < 0:
        return Killed(signal=-status, duration_s=0.0)
    return Exited(code=status, duration_s=0.0)
