"""Running jobs as processes of this machine."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.lowlevel
from anyio import TASK_STATUS_IGNORED

from exprun.abc import StopRequest
from exprun.errors import ExecutorError
from exprun.executors.beside import run_beside
from exprun.executors.descendants import Family
from exprun.executors.follow import Follower
from exprun.executors.lifetime import KILL_S, TERM_S, Lifetime
from exprun.executors.logs import is_no_space, open_log
from exprun.executors.spawn import Stdio, is_transient, too_much
from exprun.executors.survivors import Step, Survivors
from exprun.model.job import FailureClass, JobHandle, Leftover, Lost, NotStarted
from exprun.room import is_there_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from anyio.abc import TaskStatus

    from exprun.abc import OutputSink, WorkspaceProvider
    from exprun.executors.console import Console
    from exprun.executors.relay import Relay
    from exprun.model.job import JobOutcome, JobSpec

_ATTACHED_PERIOD_S = 0.2
_LAST_WORDS_S = 0.3
_OWN_OUTPUT = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")


class LocalExecutor:
    """Runs each command in a session of its own, its output going straight into the log.

    A background job reads from /dev/null. A foreground job has the `console`: its stdin, and its
    output passed on live; without a console, it runs as any other.
    """

    name = "local"

    def __init__(
        self,
        *,
        capacity: int | None = None,
        console: Console | None = None,
        workspaces: WorkspaceProvider | None = None,
    ) -> None:
        self.capacity = capacity
        self.workspaces = workspaces
        self._console = console

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
        announce = _Announcement(job, self.name, task_status)
        with ExitStack() as resources:
            try:
                streams = _Streams(job, self._console, resources)
            except OSError as error:
                if is_transient(error):
                    raise too_much(error) from error
                announce(None)
                return _no_log(job, error)
            outcome = await streams.run(job, output, stop or StopRequest(), announce)
        announce(None)
        return outcome

    async def attach_job(
        self, handle: JobHandle, output: OutputSink, *, stop: StopRequest | None = None
    ) -> JobOutcome:
        """Follow what is left of a job whose orchestrator has died.

        The outcome is `Lost`: only a parent learns how a process ended.
        """
        began = anyio.current_time()
        request = stop or StopRequest()
        survivors = Survivors(Family(handle.mark), request)

        async def until_gone() -> None:
            while await survivors.look():
                with anyio.move_on_after(_ATTACHED_PERIOD_S):
                    await request.above(None)
                    return

        await _follow(handle.log, output, until_gone)
        if request.reason is not None:
            await survivors.end(_steps_for_orphans(grace_s=TERM_S))
        return Lost(
            reason="its orchestrator ended before it did",
            duration_s=anyio.current_time() - began,
            cancelled=request.reason,
            leftovers=survivors.report(),
        )


async def end_orphans(mark: str, *, grace_s: float) -> tuple[Leftover, ...]:
    """End what still runs of a job whose orchestrator has died, and tell what that was."""
    survivors = Survivors(Family(mark), StopRequest())
    await survivors.end(_steps_for_orphans(grace_s=grace_s))
    return survivors.report()


class _Announcement:
    """Tells the native id of a job, once."""

    def __init__(self, job: JobSpec, executor: str, task_status: TaskStatus[JobHandle]) -> None:
        self._job = job
        self._executor = executor
        self._task_status: TaskStatus[JobHandle] | None = task_status

    def __call__(self, pid: int | None) -> None:
        if self._task_status is None:
            return
        handle = JobHandle(
            executor=self._executor,
            native_id=None if pid is None else str(pid),
            mark=self._job.mark,
            log=self._job.log,
        )
        self._task_status.started(handle)
        self._task_status = None


class _Streams:
    """The log of one job and, for a foreground job, its share of the console."""

    def __init__(self, job: JobSpec, console: Console | None, resources: ExitStack) -> None:
        self._log = _until_closed(resources, open_log(job.log))
        self._reader = _until_closed(resources, os.open(job.log, os.O_RDONLY | os.O_CLOEXEC))
        self._relay: Relay | None = None
        nothing = _until_closed(resources, os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
        stdin, reopens = nothing, _reopens_its_output(job)
        if job.foreground and console is not None:
            self._relay = _open_relay(console, job.log, self._log, pipes=reopens)
            resources.callback(self._relay.abandon)
            resources.enter_context(console.restored())
            stdin = console.stdin if console.may_read else nothing
        elif reopens:
            from exprun.executors.console import Console

            nowhere = Console(stdin=nothing, stdout=nothing, stderr=nothing)
            self._relay = _open_relay(nowhere, job.log, self._log, pipes=True)
            resources.callback(self._relay.abandon)
        self._stdio = Stdio(
            stdin=stdin,
            stdout=self._relay.stdout if self._relay else self._log,
            stderr=self._relay.stderr if self._relay else self._log,
        )

    async def run(
        self, job: JobSpec, output: OutputSink, stop: StopRequest, announce: _Announcement
    ) -> JobOutcome:
        """Run the job, and show all of its output before returning."""
        follower = Follower(self._reader, output)

        async def flush() -> None:
            if self._relay is not None:
                await self._relay.flush()
            await follower.catch_up()

        async def whole() -> JobOutcome:
            outcome = await Lifetime(
                job, output, stop, self._stdio, started=announce, flush=flush
            ).run()
            if self._relay is not None:
                await _finish(self._relay, stop)
            await follower.catch_up()
            return outcome

        return await run_beside(follower.run, whole)


async def _finish(relay: Relay, stop: StopRequest) -> None:
    """Wait until the console has taken all. One that does not may not hold up a stop."""
    with anyio.CancelScope() as patience:

        async def lose_it() -> None:
            await stop.above(None)
            patience.deadline = anyio.current_time() + _LAST_WORDS_S

        await run_beside(lose_it, relay.finish)


async def _follow(
    log: str, output: OutputSink, body: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    with ExitStack() as resources:
        try:
            reader = _until_closed(resources, os.open(log, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:  # Without its log, a job can still be waited for.
            await body()
            return
        follower = Follower(reader, output)
        await run_beside(follower.run, body)
        await follower.catch_up()


def _steps_for_orphans(*, grace_s: float) -> list[Step]:
    now = anyio.current_time()
    return [
        Step(signal.SIGTERM, now + grace_s),
        Step(signal.SIGKILL, now + grace_s + KILL_S),
    ]


def _reopens_its_output(job: JobSpec) -> bool:
    """Whether a command names its own output, as in ``tee /dev/stderr``.

    If that were the log itself it would be cut off. What scripts do cannot be seen from here.
    """
    texts = (text for command in job.commands for text in command.argv)
    return any(name in text for text in texts for name in _OWN_OUTPUT)


def _open_relay(console: Console, log_path: str, log: int, *, pipes: bool) -> Relay:
    from exprun.executors.relay import Relay  # Terminals and threads: few jobs need them.

    # A thread's worth is set aside for those of a console, which follow each other.
    if not is_there_memory():
        raise ExecutorError(
            "cannot start a thread: out of memory",
            hint="give it more (ulimit -v), or run stages without a console: -j 2",
        )
    try:
        return Relay(console, log_path, log, pipes=pipes)
    except RuntimeError as error:
        raise ExecutorError(
            f"cannot start a thread: {error}", transient=True, nothing_ran=True
        ) from error


def _no_log(job: JobSpec, error: OSError) -> NotStarted:
    return NotStarted(
        reason=f"cannot write the log '{job.log}': {error.strerror}",
        failure=FailureClass.NO_SPACE if is_no_space(error) else FailureClass.SETUP,
        duration_s=0.0,
    )


def _until_closed(resources: ExitStack, descriptor: int) -> int:
    resources.callback(os.close, descriptor)
    return descriptor
