"""Running experiments from inside a program: no signals, no printing, no global state."""

from __future__ import annotations

import os
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio import CancelScope

from exprun import events
from exprun.errors import UsageError
from exprun.executors.local import LocalExecutor
from exprun.model.job import CancelReason
from exprun.params.sweeps import is_sweep
from exprun.queue.attempts import Orchestrator
from exprun.runner import threads
from exprun.runner.bus import EventBus
from exprun.runner.editing import parse_edits
from exprun.runner.failures import FAULTS
from exprun.runner.opening import open_project
from exprun.runner.queue_run import open_run
from exprun.runner.queueing import queue_experiments
from exprun.runner.queues import open_queue, tidy_queue
from exprun.runner.resources import Resources, load_resources
from exprun.runner.session import Session
from exprun.runner.submitted import ExperimentHandle, Submitted
from exprun.runner.submitting import Submission
from exprun.runner.watching import POLL_S
from exprun.scheduler.vocabulary import DrainRequested

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from anyio.abc import TaskGroup

    from exprun.abc import Executor
    from exprun.events import Event
    from exprun.model.experiment import ExperimentResult, ExperimentSpec
    from exprun.queue.queue import Queue
    from exprun.queue.records import Entry
    from exprun.runner.bus import Subscription
    from exprun.runner.opening import Opened
    from exprun.runner.queue_run import QueueRun
    from exprun.scheduler.budget import Limits
    from exprun.scheduler.vocabulary import Stimulus

__all__ = ["ExperimentHandle", "Runner", "open_runner"]


@asynccontextmanager
async def open_runner(
    repo: str | os.PathLike[str],
    *,
    jobs: int = 1,
    resources: Resources | None = None,
    env: Mapping[str, str] | None = None,
    executor: Executor | None = None,
    grace_s: float = 10.0,
) -> AsyncIterator[Runner]:
    """A `Runner` for the DVC project around the directory `repo`, `jobs` stages at a time.

    `env` is the environment of stages and git, and the one in which configuration is looked for.
    The process's own is not read: hand in ``os.environ`` if that is what you want. By default there
    is nothing in it but a PATH to the system's programs, so no ``~/.gitconfig`` either.

    `resources` are what all running stages may hold together; for what they say nothing of, the
    project's ``exprun.toml`` counts. An experiment with a stage that fits in neither is refused.

    Leaving the block waits for all experiments. Leaving it by an exception, or by being cancelled,
    first stops every process within `grace_s`; what had not finished stays in the project's queue.
    Raises UsageError, NotAProject, ConfigError and GitError.
    """
    if jobs < 1:
        raise UsageError("jobs must be at least 1")
    if not 0 <= grace_s < float("inf"):
        raise UsageError("grace_s must be a number of seconds")
    site = _Site(repo, env if env is not None else {"PATH": os.defpath})
    opened = await threads.run_sync(site.open)
    said = await threads.run_sync(load_resources, (opened.place.root,))
    async with AsyncExitStack() as stack:
        session = Session(
            opened,
            await stack.enter_async_context(executor or LocalExecutor()),
            emit=site.emit,
            jobs=jobs,
            resources=(resources or Resources()).or_else(said),
            grace_s=grace_s,
            audience=site.bus,
        )
        await session.make_way()
        queue = open_queue(opened)
        orchestrator = stack.enter_context(Orchestrator(queue))
        run = await open_run(session, queue, orchestrator)
        async with _serving(site, session, queue, run, orchestrator) as runner:
            yield runner


class Runner:
    """Runs experiments, each in a directory of its own. Made by `open_runner`.

    To be used on the event loop's thread, by any number of tasks.
    """

    def __init__(
        self, site: _Site, session: Session, submitted: Submitted, tasks: TaskGroup
    ) -> None:
        self.root = session.opened.place.root
        self._site = site
        self._tasks = tasks
        self._session = session
        self._submitted = submitted
        self._is_closed = False

    async def submit(self, spec: ExperimentSpec) -> ExperimentHandle:
        """Queue one experiment, of the workspace as it is now, and let it run when it can.

        When this returns, the experiment is in the project's queue for good: if this process dies,
        ``exprun run --run-all`` runs it. Raises UsageError, ProjectError, GitError or RefConflict,
        ExprunError itself if the system refuses (too many open files, say), and then nothing was
        queued. If this is cancelled, what was queued is taken back.
        """
        [handle] = await self._submit(spec, may_sweep=False)
        return handle

    async def submit_sweep(self, spec: ExperimentSpec) -> list[ExperimentHandle]:
        """Queue all experiments of a sweep, as of ``set_params=("lr=0.1,0.2",)``, or none.

        Their handles are in the order of the sweep. For what is raised, and what being cancelled
        does, see `submit`.
        """
        return await self._submit(spec, may_sweep=True)

    async def _submit(self, spec: ExperimentSpec, *, may_sweep: bool) -> list[ExperimentHandle]:
        _check_texts(spec)
        if spec.options.dry:
            raise UsageError("a queued experiment cannot be a dry run")
        if self._is_closed or self._submitted.is_over:
            raise UsageError("the runner takes no more experiments")
        submission = Submission(self._submitted)
        queue_up = partial(
            self._site.queue_up, spec, may_sweep, self._session.limits, submission.is_unwanted
        )
        self._tasks.start_soon(submission.carry_out, queue_up, self._site.queueing)
        return await submission.wait()

    async def run(self, spec: ExperimentSpec) -> ExperimentResult:
        """Submit an experiment and wait for its end, which is a result even if it has failed.

        Raises what `submit` does. If this is cancelled, the experiment is stopped first, and held.
        """
        handle = await self.submit(spec)
        try:
            return await handle.wait()
        except BaseException:
            handle.cancel()
            with CancelScope(shield=True):
                await handle.wait()
            raise

    def cancel(self, reason: CancelReason = CancelReason.REQUESTED) -> None:
        """Stop everything and take nothing more. Never waits; a higher `reason` stops harder.

        What had not finished stays in the queue, to be run by ``exprun run --run-all``.
        """
        known = self._session.cancelled
        self._is_closed = True
        self._session.cancel(reason)
        if self._session.cancelled is not known:
            self._site.emit(events.RunCancelling(reason=reason))

    def subscribe(self, *kinds: type[Event]) -> Subscription:
        """What happens from now on, as an async context manager that is an async iterator.

        Only events of `kinds`, or all but output. A slow reader may lose output, and is told by
        `OutputDropped`. The iteration ends when the runner has.
        """
        return self._site.bus.subscribe(*kinds)

    def close(self) -> None:
        """Take nothing more; what was submitted goes on. Never waits."""
        self._is_closed = True


def _check_texts(spec: ExperimentSpec) -> None:
    """Refuse one text where several are expected: its letters would be taken for them."""
    for name in ("set_params", "params", "copy_paths"):
        if isinstance(text := getattr(spec, name), str):
            raise UsageError(f"{name} must be a tuple of strings", hint=f"{name}=({text!r},)")
    if isinstance(text := spec.options.selection.targets, str):
        raise UsageError("targets must be a tuple of strings", hint=f"targets=({text!r},)")


class _Site:
    """What a runner looks at and talks to: the project, over and over, and those who listen."""

    def __init__(self, repo: str | os.PathLike[str], env: Mapping[str, str]) -> None:
        self.bus = EventBus(os.urandom(8).hex())
        self.queueing = anyio.Lock()
        self._start = os.path.abspath(repo)
        self._env = dict(env)
        self._warnings: deque[str] = deque()
        self._queue: Queue

    def open(self) -> Opened:
        """The project as the runner uses it. In a worker thread."""
        opened = self._opened()
        # For submissions alone: whoever waits for another writer keeps it from all others.
        self._queue = open_queue(opened)
        tidy_queue(opened, self._queue)
        return opened

    def queue_up(
        self,
        spec: ExperimentSpec,
        may_sweep: bool,
        limits: Limits,
        give_up: Callable[[], bool],
    ) -> list[Entry]:
        """Queue the experiments of `spec`. In a worker thread."""
        if not may_sweep and is_sweep(parse_edits(spec)):
            raise UsageError("this is a sweep", hint="use submit_sweep, which returns a list")
        # Anew each time: a repository is for one thread, and configuration may have changed.
        queued = queue_experiments(
            self._opened(), spec, queue=self._queue, limits=limits, give_up=give_up
        )
        return [each.entry for each in queued]

    def _opened(self) -> Opened:
        return open_project(self._start, env=self._env, warn=self._warnings.append)

    def emit(self, event: Event) -> None:
        """Publish an event, after the warnings that came from worker threads before it."""
        self.tell_warnings()
        self.bus.publish(event)

    def tell_warnings(self) -> None:
        """Publish the warnings that came from worker threads."""
        while self._warnings:
            self.bus.publish(events.WarningRaised(message=self._warnings.popleft()))


@asynccontextmanager
async def _serving(
    site: _Site, session: Session, queue: Queue, run: QueueRun, orchestrator: Orchestrator
) -> AsyncIterator[Runner]:
    """A runner whose scheduler runs until the block is left and everything has ended."""
    failure: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            submitted = Submitted(run, queue, orchestrator.id, site.emit)
            service = _Service(site, session, run, submitted, orchestrator)
            runner = Runner(site, session, submitted, tasks)
            tasks.start_soon(submitted.change_queue)
            tasks.start_soon(service.run)
            try:
                await service.begun.wait()
                site.emit(events.RunStarted(root=runner.root, jobs=session.jobs))
                yield runner
                await submitted.wait_for_all()
                runner.close()
                service.tell(DrainRequested())
            except anyio.get_cancelled_exc_class():
                runner.cancel()
                with CancelScope(shield=True):
                    await service.ended.wait()
                raise
            except BaseException as error:
                # Raised once all has ended; from in here it would come out in a group.
                failure = error
                runner.cancel()
    finally:
        site.emit(events.RunFinished())
        site.bus.close()
    if failure is not None:
        raise failure


class _Service:
    """The scheduler of a runner at work."""

    def __init__(
        self,
        site: _Site,
        session: Session,
        queue_run: QueueRun,
        submitted: Submitted,
        orchestrator: Orchestrator,
    ) -> None:
        self.begun = anyio.Event()
        self.ended = anyio.Event()
        self.tell: Callable[[Stimulus], None]
        self._site = site
        self._session = session
        self._queue_run = queue_run
        self._submitted = submitted
        self._orchestrator = orchestrator

    async def run(self) -> None:
        """Run what is submitted until told to drain: by `tell`, which is there once it has `begun`.

        Being cancelled has no effect: the runner's block, cancelled too, asks everything to stop,
        so that what is stopped is recorded. Workspaces are removed here, for nothing keeps a native
        cancellation of the block's task from what that task waits for.
        """
        try:
            with CancelScope(shield=True):
                await self._session.run(self._submitted, [], beside=self._watch, lasting=True)
        finally:
            self._submitted.disconnect()
            try:
                await self._queue_run.remove_workspaces()
            finally:
                self.ended.set()

    async def _watch(self, tell: Callable[[Stimulus], None]) -> None:
        """Let the scheduler be reached, and pass on what other processes want."""
        self._submitted.connect(tell)
        self.tell = tell
        self.begun.set()
        while True:
            await anyio.sleep(POLL_S)
            self._site.tell_warnings()
            if self._orchestrator.is_draining:
                tell(DrainRequested())
            # For want of descriptors, say. What others did is seen the next time.
            with suppress(*FAULTS):
                await self._submitted.look()
