"""What a request runs with: the opened project, an executor, and where events go."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING

import anyio

from exprun.abc import StopRequest
from exprun.errors import ExperimentFailed
from exprun.executors.descendants import with_mark
from exprun.executors.shell import ask_fish_version
from exprun.git.command import without_repository
from exprun.model.values import replace
from exprun.project.locks import Patience
from exprun.runner import threads
from exprun.runner.announcing import Announcements, forget_the_dead
from exprun.runner.driver import Closed, Driver
from exprun.runner.durations import Durations
from exprun.runner.exclusion import ORPHANS, WORKSPACE, Exclusion
from exprun.runner.guard import Guard, path_locks, repo_lock
from exprun.runner.jobs import JobSettings
from exprun.runner.presence import end_what_the_dead_left, present
from exprun.runner.pulling import Puller
from exprun.runner.reproduction import Reproduction
from exprun.runner.resources import Resources, jobs_that_fit
from exprun.runner.studio import studio_env
from exprun.runner.work import StageWork
from exprun.scheduler.machine import Scheduler
from exprun.scheduler.vocabulary import (
    CancelRequested,
    ExperimentPlan,
    ExperimentsOffered,
    ExperimentVerdict,
    StageState,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
    from typing import Any

    from exprun.abc import Executor
    from exprun.model.experiment import ReproOptions
    from exprun.model.job import CancelReason
    from exprun.model.stage import Stage
    from exprun.runner.bus import Audience
    from exprun.runner.driver import Source
    from exprun.runner.opening import Opened
    from exprun.runner.reproduction import Confirm, Emit
    from exprun.runner.site import Site
    from exprun.scheduler.vocabulary import Stimulus

    Beside = Callable[[Callable[[Stimulus], None]], Coroutine[Any, Any, None]]

_MOMENT_S = 0.5


class Session:
    """Runs plans, at most `jobs` stages at a time, which share `resources`. Raises UsageError."""

    def __init__(
        self,
        opened: Opened,
        executor: Executor,
        *,
        emit: Emit,
        jobs: int = 1,
        resources: Resources | None = None,
        grace_s: float = 10.0,
        confirm: Confirm | None = None,
        shows_output: bool = False,
        audience: Audience | None = None,
    ) -> None:
        self.confirm = confirm
        self.opened = opened
        self.emit = emit
        self.jobs = jobs_that_fit(jobs, opened.warn)
        self.limits = (resources or Resources()).limits(self.jobs, opened.env)
        self.mark = os.urandom(16).hex()
        self.push_marks: set[str] = set()
        """Carried by what pushes experiments."""
        self.log_dir = os.path.join(opened.place.state_dir, "logs", os.urandom(6).hex())
        self._exclusion = Exclusion(opened.place.state_dir)
        self._durations = Durations(os.path.join(opened.place.state_dir, "durations"))
        self._executor = executor
        self._grace_s = grace_s
        self._shows_output = shows_output
        self._audience = audience
        self._driver: Driver | None = None
        self._cancelled: CancelReason | None = None
        self._turn: StopRequest | None = None
        self._announcements = Announcements(opened.place, self.mark)

    @property
    def cancelled(self) -> CancelReason | None:
        """Why the session is to end, if it is."""
        return self._cancelled

    @property
    def is_running(self) -> bool:
        """Whether stages are being brought up to date."""
        return self._driver is not None

    def cancel(self, reason: CancelReason) -> None:
        """Stop what runs and start nothing more; a higher reason stops harder. Never waits."""
        if self._cancelled is None or reason > self._cancelled:
            self._cancelled = reason
            if self._turn is not None:
                self._turn.request(reason)
            if self._driver is not None:
                self._driver.tell(CancelRequested(reason))

    @asynccontextmanager
    async def alone_in_workspace(self) -> AsyncIterator[None]:
        """Held by an experiment that edits the parameters of the workspace and commits its files.

        A command of another one's stage is let in: that other one waits for it. Raises
        ExperimentFailed if the session is cancelled before its turn comes.
        """
        if "DVC_EXP_NAME" in self.opened.env:
            yield
            return
        self._turn = StopRequest()
        async with self._exclusion.held(
            [WORKSPACE],
            self._turn,
            lambda _: self.opened.warn(
                "waiting for the experiment that runs in the workspace; "
                "to run beside it: exprun run --temp"
            ),
        ):
            if self._cancelled is not None:
                raise ExperimentFailed("interrupted")
            yield

    async def make_way(self) -> None:
        """End what a killed session has left running in this project, or wait for who does so."""
        forget_the_dead(self.opened.place)
        async with self._exclusion.held([ORPHANS], StopRequest(), lambda _: None):
            await end_what_the_dead_left(self.opened.place.running_dir, self.opened.warn)

    def announce(self, reproduction: Reproduction) -> None:
        """Let DVC see that an experiment runs, until `withdraw`, or the end of `run`.

        That takes a moment: it is not worth it for one that is over by then.
        """
        if reproduction.experiment and reproduction.baseline:
            self._announcements.announce(
                reproduction.site.root,
                name=reproduction.experiment,
                baseline=reproduction.baseline,
                log_dir=reproduction.log_dir,
                id=reproduction.id,
            )

    def withdraw(self, reproduction: Reproduction) -> None:
        """To be called before the experiment's directory becomes another's."""
        self._announcements.withdraw(reproduction.site.root, reproduction.id)

    def shared_guard(self) -> Guard:
        """DVC's locks of the user's own workspace."""
        return Guard(
            repo_lock(self.opened),
            path_locks(self.opened, cmd=" ".join(["exprun", *sys.argv[1:]])),
            Patience(
                limit_s=30.0,
                on_wait=lambda what: self.opened.warn(f"waiting for {what}"),
                give_up=lambda: self._cancelled is not None,
            ),
        )

    def reproduction(
        self,
        stages: Sequence[Stage],
        site: Site,
        *,
        options: ReproOptions,
        guard: Guard,
        experiment: tuple[str, str] | None = None,
        id: str = "",
        log_dir: str | None = None,
        is_attended: bool = True,
    ) -> Reproduction:
        """A plan, ready to be driven.

        `experiment` is its name and baseline, `id` what the queue knows it by. The user may be
        asked about what he attends to.
        """
        site.plan(stages)
        if is_attended and self.opened.config.core.interactive:
            options = replace(options, interactive=True)
        puller = Puller(
            site.store, self.opened.config, site.warn, replaces_edits=experiment is not None
        )
        return Reproduction(
            stages,
            id=id,
            site=site,
            work=StageWork(site, options, puller),
            guard=guard,
            options=options,
            settings=JobSettings(
                env=self._stage_env(site.root, is_experiment=experiment is not None),
                fish_version=self._fish_version,
                exclusion=self._exclusion,
                make_way=self.make_way,
                project_root=self.opened.place.root,
                cwd=options.selection.cwd,
                log_dir=log_dir or self.log_dir,
                experiment=experiment,
                foreground=self.jobs == 1,
                shows_output=self._shows_output,
                audience=self._audience,
                grace_s=self._grace_s,
            ),
            executor=self._executor,
            durations=self._durations,
            emit=self.emit,
            confirm=self.confirm,
        )

    @cached_property
    def _fish_version(self) -> str | None:
        return ask_fish_version(self.opened.env)

    def _stage_env(self, root: str, *, is_experiment: bool) -> dict[str, str]:
        env = with_mark(self.opened.env, self.mark)
        if root != self.opened.place.root:
            # Git's hooks name the user's repository, which is none of its business.
            env = without_repository(env)
        if is_experiment:
            env |= studio_env(self.opened.config.studio, self.opened.env, self.opened.repository)
        return env

    @contextmanager
    def pushing(self) -> Iterator[str]:
        """A mark for what pushes an experiment. What carries it must not outlive the process; if it
        does, the next run ends it.
        """
        mark = os.urandom(16).hex()
        with present(self.opened.place.running_dir, mark):
            self.push_marks.add(mark)
            yield mark
        self.push_marks.remove(mark)

    async def run(
        self,
        source: Source,
        experiments: Sequence[str],
        *,
        beside: Beside | None = None,
        max_failures: int | None = None,
        fail_fast: bool = False,
        lasting: bool = False,
    ) -> None:
        """Run experiments of `source` until none is left, or the session is cancelled.

        `beside` runs meanwhile and may give the scheduler stimuli of its own. A `lasting` run waits
        for more experiments when none is left, until the scheduler is told to drain.
        """
        await self.make_way()
        scheduler = Scheduler(self.limits, max_failures=max_failures, fail_fast=fail_fast)
        self._driver = driver = Driver(scheduler, source, lasting=lasting)
        driver.tell(ExperimentsOffered(tuple(experiments)))
        if self._cancelled is not None:
            driver.tell(CancelRequested(self._cancelled))
        try:
            with present(self.opened.place.running_dir, self.mark):
                try:
                    await self._run_beside(driver, beside)
                finally:
                    self._announcements.withdraw_all()
        finally:
            self._driver = None

    async def _run_beside(self, driver: Driver, beside: Beside | None) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_of_what_lasts)
            if beside is not None:
                tasks.start_soon(beside, driver.tell)
            await driver.run()
            tasks.cancel_scope.cancel()

    async def _tell_of_what_lasts(self) -> None:
        while True:
            await anyio.sleep(_MOMENT_S)
            if self._announcements.are_waiting:
                await threads.run_sync(self._announcements.tell)

    async def drive(
        self, reproduction: Reproduction, *, beside: Beside | None = None
    ) -> tuple[StageState, ...]:
        """Bring the stages of a plan up to date and return how each ended; `beside` runs meanwhile.

        Raises ExperimentFailed if one failed, and if the session was cancelled.
        """
        outcome = _Outcome(self, reproduction)
        try:
            await reproduction.begin()
            await self.run(outcome, [reproduction.id], beside=beside)
        finally:
            reproduction.leave_all()
            reproduction.site.records.flush()
        if outcome.verdict is not ExperimentVerdict.SUCCEEDED:
            raise self._failure(reproduction, outcome)
        return outcome.states

    def _failure(self, reproduction: Reproduction, outcome: _Outcome) -> ExperimentFailed:
        hint = f"logs: {self.log_dir}" if os.path.isdir(self.log_dir) else None
        failed = sorted(reproduction.failures)
        if outcome.verdict is not ExperimentVerdict.FAILED or not failed:
            return ExperimentFailed("interrupted", hint=hint)
        names = [f"'{reproduction.address(index)}'" for index in failed]
        if len(failed) > 1:
            head, last = names[:-1], names[-1]
            message = f"failed to reproduce stages: {', '.join(head)} and {last}"
            return ExperimentFailed(message, hint=hint)
        failure = reproduction.failures[failed[0]]
        hints = [failure.error.hint] if failure.error and failure.error.hint else []
        text = f"failed to reproduce {names[0]}: {failure.message}"
        return ExperimentFailed(text, hint="\n".join([*hints, *([hint] if hint else [])]) or None)


class _Outcome:
    """The driver's source of one plan, and how that ended."""

    def __init__(self, session: Session, reproduction: Reproduction) -> None:
        self._session = session
        self._reproduction = reproduction
        self.verdict = ExperimentVerdict.CANCELLED
        self.states: tuple[StageState, ...] = ()

    async def open(self, experiment: str) -> tuple[Reproduction, ExperimentPlan]:
        self._session.announce(self._reproduction)
        serial = self._session.jobs == 1
        plan = await threads.run_sync(partial(self._reproduction.plan, serial=serial))
        return self._reproduction, plan

    async def close(
        self,
        reproduction: Reproduction,
        verdict: ExperimentVerdict,
        states: tuple[StageState, ...],
    ) -> Closed:
        self.verdict, self.states = verdict, states
        return Closed(succeeded=verdict is ExperimentVerdict.SUCCEEDED)
