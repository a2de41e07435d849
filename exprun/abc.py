"""The protocols an executor is written against, and how a running job is asked to end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self

import anyio
from anyio import TASK_STATUS_IGNORED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from anyio.abc import TaskStatus

    from exprun.model.job import CancelReason, Command, JobHandle, JobOutcome, JobSpec


class StopRequest:
    """A wish that jobs end: raised, never lowered, and safe to share between jobs.

    To be used on the event loop's thread.
    """

    __slots__ = ("_raised", "_reason", "_scopes")

    def __init__(self) -> None:
        self._reason: CancelReason | None = None
        self._raised: anyio.Event | None = None
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def reason(self) -> CancelReason | None:
        """The highest reason given so far."""
        return self._reason

    def request(self, reason: CancelReason) -> None:
        """Ask for the end. Only a higher reason than before changes anything."""
        if self._is_above(reason, self._reason):
            self._reason = reason
            if self._raised is not None:
                self._raised.set()
                self._raised = None
            for scope in self._scopes:
                scope.cancel()

    async def above(self, known: CancelReason | None) -> CancelReason:
        """Wait until the reason is higher than `known`, and return it."""
        while (reason := self._reason) is None or not self._is_above(reason, known):
            self._raised = self._raised or anyio.Event()
            await self._raised.wait()
        return reason

    @contextmanager
    def cancelling(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Have `scope` cancelled as soon as there is a reason, without a task that waits for it."""
        if self._reason is not None:
            scope.cancel()
        self._scopes.add(scope)
        try:
            yield
        finally:
            self._scopes.remove(scope)

    @staticmethod
    def _is_above(reason: CancelReason, known: CancelReason | None) -> bool:
        return known is None or reason > known


class OutputSink(Protocol):
    """Where a job's output is shown, besides its log. Methods must neither wait nor raise."""

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens now. While nobody does, an executor reads no output."""

    async def wanted(self) -> None:
        """Return once somebody listens."""

    def command_started(self, index: int, command: Command) -> None:
        """Called just before a command starts, after all output of the one before it."""

    def write(self, data: bytes, *, offset: int) -> None:
        """Take output that the log holds at `offset`."""


class NoOutput:
    """A sink that nobody listens to."""

    is_wanted = False

    async def wanted(self) -> None:
        await anyio.sleep_forever()

    def command_started(self, index: int, command: Command) -> None:
        pass

    def write(self, data: bytes, *, offset: int) -> None:
        pass


class Workspace(Protocol):
    """A directory where one experiment runs."""

    @property
    def root(self) -> str:
        """The project's root in it: an absolute path where the jobs run."""


class WorkspaceProvider(Protocol):
    """Opens workspaces that an executor's jobs can reach."""

    def open_workspace(self, tree: str) -> AbstractAsyncContextManager[Workspace]:
        """A workspace holding the files of a Git tree; leaving the block gives it back."""


class Executor(Protocol):
    """Runs jobs. It never prints, reads configuration, or knows why a job is to run."""

    @property
    def name(self) -> str: ...

    @property
    def capacity(self) -> int | None:
        """How many jobs may run at once; None if the executor does not care."""

    @property
    def workspaces(self) -> WorkspaceProvider | None:
        """Where its jobs' files are; None if its jobs see the caller's file system."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None: ...

    async def run_job(
        self,
        job: JobSpec,
        output: OutputSink,
        *,
        stop: StopRequest | None = None,
        task_status: TaskStatus[JobHandle] = TASK_STATUS_IGNORED,
    ) -> JobOutcome:
        """Run `job` to its end and return how it ended.

        Returns only when nothing of the job runs any more. A request through `stop` ends the job
        step by step and is a normal return, with `cancelled` set; cancelling the call does the
        same with the reason `REQUESTED` and then propagates. ``task_status.started`` is called
        once, as soon as the job has a native id or will never have one.

        Raises ExecutorError, `transient` if a later try may work, when the executor itself fails.
        """

    async def attach_job(
        self, handle: JobHandle, output: OutputSink, *, stop: StopRequest | None = None
    ) -> JobOutcome:
        """Follow a job that another process started, to its end. Cancelling only detaches."""
