"""One plan in one workspace: the effects that the scheduler asks for, stage by stage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from exprun import events
from exprun.abc import StopRequest
from exprun.errors import ExecutorError, ExprunError, MissingDependency, ParamsError
from exprun.model.experiment import OnError
from exprun.model.job import FailureClass
from exprun.model.values import dataclass, field, replace
from exprun.runner import threads
from exprun.runner.failures import FAULTS, failure_from, failure_of_job, is_conclusive
from exprun.runner.jobs import build_job, commands_of, exclusive_names, log_of
from exprun.runner.needs import requirements_of
from exprun.runner.telling import StageOutputs, Teller
from exprun.runner.work import Need
from exprun.scheduler import vocabulary as words
from exprun.scheduler.vocabulary import StageState, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from exprun.abc import Executor
    from exprun.model.experiment import ReproOptions
    from exprun.model.job import CancelReason, JobOutcome, JobSpec
    from exprun.model.lock import LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.durations import Durations
    from exprun.runner.failures import Failure
    from exprun.runner.guard import Guard
    from exprun.runner.jobs import JobSettings
    from exprun.runner.site import Site
    from exprun.runner.work import Judgement, Saved, StageWork

Emit = Callable[[events.Event], None]
Confirm = Callable[[str], Awaitable[bool]]


@dataclass(slots=True)
class _InHand:
    """What is known about a stage while it is worked on."""

    judgement: Judgement | None = None
    outcome: JobOutcome | None = None
    log: str | None = None
    entered: ExitStack | None = None
    stop: StopRequest = field(default_factory=StopRequest)


class Reproduction:
    """The stages of one plan and the work on them.

    After the scheduler has finished it, `entries` holds what was reproduced and `failures` why
    stages failed, both by index in the plan; `written` names the records of DVC that were written.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        id: str,
        site: Site,
        work: StageWork,
        guard: Guard,
        options: ReproOptions,
        settings: JobSettings,
        executor: Executor,
        durations: Durations,
        emit: Emit,
        confirm: Confirm | None = None,
    ) -> None:
        self.id = id
        self.stages = stages
        self.site = site
        self.entries: dict[int, LockedStage] = {}
        self.failures: dict[int, Failure] = {}
        self.written: dict[Location, None] = {}
        self._work = work
        self._guard = guard
        self._options = options
        self._settings = settings
        self._executor = executor
        self._durations = durations
        self._teller = Teller(
            stages=stages, site=site, cwd=settings.cwd, experiment=self.experiment, emit=emit
        )
        self._confirm = confirm
        self._in_hand: dict[int, _InHand] = {}
        self._requirements = [requirements_of(stage) for stage in stages]

    @property
    def experiment(self) -> str | None:
        return self._settings.experiment[0] if self._settings.experiment else None

    @property
    def baseline(self) -> str | None:
        return self._settings.experiment[1] if self._settings.experiment else None

    @property
    def log_dir(self) -> str:
        """Where the logs of the stages are."""
        return self._settings.log_dir

    @property
    def allows_daemons(self) -> bool:
        """Whether processes may be left behind in the workspace."""
        return any(required.allow_daemons for required in self._requirements)

    def plan(self, *, serial: bool) -> words.ExperimentPlan:
        """The plan as the scheduler takes it. To be called in a worker thread."""
        places = {stage.id: index for index, stage in enumerate(self.stages)}
        active = None if self._options.selection.single_item else self.site.project.graph.active()
        # Where one follows the other anyway, nobody asks how long each takes.
        expected = [0.0] * len(self.stages) if serial else self._durations.expect(self.stages)
        planned = []
        for stage, required, expected_s in zip(
            self.stages, self._requirements, expected, strict=True
        ):
            upstream = active.upstream(stage.id) if active else ()
            planned.append(
                words.PlannedStage(
                    upstream=tuple(sorted({places[id] for id in upstream if id in places})),
                    forced=self._options.force,
                    needs=required.needs,
                    retries=required.retries,
                    expected_s=expected_s,
                )
            )
        return words.ExperimentPlan(
            stages=tuple(planned),
            on_error=self._options.on_error,
            force_downstream=self._options.force_downstream,
            serial=serial,
        )

    def foresee(self, plan: words.ExperimentPlan) -> None:
        """See which stages are up to date as things are: they need no thread each to be checked.

        For a workspace that nobody else changes. To be called in a worker thread.
        """
        unchanged: set[int] = set()
        for index, planned in enumerate(plan.stages):
            if not planned.forced and unchanged.issuperset(planned.upstream):
                with suppress(*FAULTS):  # Whoever checks the stage meets them again.
                    if self._work.first_reason(self.stages[index]) is None:
                        unchanged.add(index)

    def address(self, index: int) -> str:
        """How a stage of the plan is shown."""
        return self._teller.address(index)

    def processed(self, states: Sequence[StageState]) -> list[Stage]:
        """The stages that were brought, or were, up to date."""
        done = {StageState.UNCHANGED, StageState.RESTORED, StageState.SUCCEEDED}
        return [stage for stage, state in zip(self.stages, states, strict=True) if state in done]

    async def begin(self) -> None:
        """What comes before the first stage."""
        await threads.run_sync(self._work.begin)

    # Effects

    def check_at_once(self, key: words.StageKey, *, forced: bool) -> words.StageChecked | None:
        """What `check` would say of a stage that is sure to be unchanged: see `foresee`."""
        if forced or not self._work.was_unchanged(self.stages[key.stage]):
            return None
        self._teller.skipped(key.stage)
        return words.StageChecked(key, Verdict.UNCHANGED)

    async def check(self, key: words.StageKey, *, forced: bool) -> words.StageChecked:
        """Judge a stage, and restore or verify it if that is all it needs."""
        index = key.stage
        hand = self._in_hand[index] = _InHand()
        try:
            hand.judgement = await self._guard.work(partial(self._judge, index, forced))
            if hand.judgement.need is Need.NOTHING:
                self._teller.skipped(index)
                return words.StageChecked(key, Verdict.UNCHANGED)
            if hand.judgement.need is Need.PULLED:
                self._teller.pulled(index)
                return words.StageChecked(key, Verdict.UNCHANGED)
            await self._ask(index)
            if hand.judgement.need is Need.RUN:
                return words.StageChecked(key, Verdict.MUST_RUN, hand.judgement.flight)
            self._teller.settles(index, hand.judgement.need)
            settle = partial(self._settle, index)
            saved = await self._guard.work(settle, then=self.site.records.flush)
            self._finished(index, saved)
        except FAULTS as error:
            self._failed(index, failure_from(error))
            return words.StageChecked(key, Verdict.FAILED)
        return words.StageChecked(key, Verdict.RESTORED)

    async def run(
        self, key: words.StageKey, *, gpus: tuple[str, ...], attempt: int, may_wait: bool
    ) -> words.StageRan | words.StageNotStarted:
        """Run the commands of a stage, unless there is no room for them and they `may_wait`."""
        index = key.stage
        hand = self._in_hand[index]
        stage = self.stages[index]
        hand.outcome = None
        hand.log = log_of(self.address(index), attempt, self._settings)
        self.failures.pop(index, None)
        may_retry = attempt <= self._requirements[index].retries
        try:
            names = exclusive_names(self._requirements[index], gpus)
            async with self._settings.exclusion.held(
                names, hand.stop, partial(self._teller.waits_for, index)
            ):
                if names:
                    # Who was killed has let go of them, but not what it has left running.
                    await self._settings.make_way()
                prepare = partial(self._prepare, index)
                hand.entered = await self._guard.enter(stage, self.site, prepare)
                self._teller.started(index, hand.log, attempt)
                hand.outcome = await self._executor.run_job(
                    self._job(index, gpus), self._sink(index), stop=hand.stop
                )
        except FAULTS as error:
            await self._leave(hand)
            may_help = isinstance(error, ExecutorError) and error.transient
            if isinstance(error, ExecutorError) and may_help and error.nothing_ran and may_wait:
                self._teller.put_off(index, error)
                return words.StageNotStarted(key)
            self._failed(index, failure_from(error), is_last=not (may_help and may_retry))
            return words.StageRan(key, succeeded=False, retryable=may_help)
        failure = failure_of_job(hand.outcome, commands_of(stage, self._settings))
        if failure is not None:
            await self._leave(hand)
            self._failed(index, failure, is_last=not may_retry)
        conclusive = failure is not None and is_conclusive(failure)
        return words.StageRan(key, succeeded=failure is None, conclusive=conclusive)

    async def save(self, key: words.StageKey) -> words.StageSaved:
        """Save a stage whose commands have succeeded."""
        save = partial(self._save, key.stage)
        try:
            saved = await self._guard.work(save, then=self.site.records.flush)
            self._finished(key.stage, saved)
        except FAULTS as error:
            await self._leave(self._in_hand[key.stage])
            self._failed(key.stage, failure_from(error))
            return words.StageSaved(key, succeeded=False)
        return words.StageSaved(key, succeeded=True)

    def stop(self, key: words.StageKey, reason: CancelReason) -> None:
        """Ask the commands of a stage to end."""
        self._teller.stops(key.stage, reason)
        self._in_hand[key.stage].stop.request(reason)

    def fails_as(self, key: words.StageKey, other: Reproduction, leader: words.StageKey) -> None:
        """Take over the failure of a stage that did the same work for another experiment."""
        failure = other.failures[leader.stage]
        where = f"in experiment '{other.experiment}', which ran it for both"
        self._failed(key.stage, replace(failure, message=f"{failure.message} ({where})"))

    def waits_to_retry(self, key: words.StageKey, delay_s: float) -> None:
        """Tell that a stage is run again after a while."""
        self._teller.retries(key.stage, delay_s)

    def leave_all(self) -> None:
        """Give back what stages hold that were not brought to an end."""
        for hand in self._in_hand.values():
            if hand.entered is not None:
                hand.entered.close()

    async def _leave(self, hand: _InHand) -> None:
        """Let others have what a stage reads and makes, if it has not been saved."""
        entered, hand.entered = hand.entered, None
        if entered is not None:
            await self._guard.leave(entered)

    # In worker threads, while the project is locked

    def _judge(self, index: int, forced: bool) -> Judgement:
        stage = self.stages[index]
        try:
            return self._work.judge(stage, forced=forced)
        except (MissingDependency, ParamsError):
            if self._dependents_go_on() and stage.cmd and not stage.frozen:
                # They must not take its old outputs for new ones.
                self._work.prepare(stage)
            raise

    def _dependents_go_on(self) -> bool:
        """Whether the stages that need one that cannot start are run all the same."""
        match self._options.on_error:
            case OnError.FAIL:
                return False
            case OnError.KEEP_GOING:
                return self._options.selection.single_item
            case OnError.IGNORE:
                return True

    def _settle(self, index: int) -> Saved:
        judgement = self._in_hand[index].judgement
        stage = self.stages[index]
        if judgement is not None and judgement.source is not None:
            return self._work.restore(stage, judgement.source)
        if judgement is not None and judgement.need is Need.IMPORT:
            return self._work.import_again(stage)
        return self._work.verify(stage)

    def _prepare(self, index: int) -> None:
        """Make way for the commands, unless they are not to start any more."""
        if self._in_hand[index].stop.reason is None:
            self._work.prepare(self.stages[index])

    def _save(self, index: int) -> Saved:
        hand, stage = self._in_hand[index], self.stages[index]
        saved = self._work.save(stage, inputs=hand.judgement.inputs if hand.judgement else None)
        if hand.entered is not None:
            hand.entered.close()
        if hand.outcome is not None:
            self._durations.record(stage, hand.outcome.duration_s)
        return saved

    # Jobs

    def _job(self, index: int, gpus: tuple[str, ...]) -> JobSpec:
        return build_job(
            self.stages[index],
            self._requirements[index],
            self._settings,
            address=self.address(index),
            cwd=self.site.path(self.stages[index].wdir),
            log=self._in_hand[index].log or "",
            gpus=gpus,
        )

    def _sink(self, index: int) -> StageOutputs:
        settings = self._settings
        return StageOutputs(
            self._teller, index, always=settings.shows_output, audience=settings.audience
        )

    async def _ask(self, index: int) -> None:
        if not self._options.interactive:
            return
        question = f"Going to reproduce stage '{self.address(index)}'. Continue?"
        if self._confirm is None or not await self._confirm(question):
            raise ExprunError("reproduction aborted by the user")

    # What happened

    def _finished(self, index: int, saved: Saved) -> None:
        hand = self._in_hand.pop(index)
        self.entries[index] = saved.entry
        if saved.recorded is None:
            self.written[self.stages[index].file] = None
        elif saved.recorded.changed:
            self.written[saved.recorded.file] = None
        self._teller.finished(index, saved, hand.outcome, hand.log)

    def _failed(self, index: int, failure: Failure, *, is_last: bool = True) -> None:
        hand = self._in_hand[index]
        self.failures[index] = failure
        self._teller.failed(index, failure, hand.outcome, hand.log)
        if (
            self._options.on_error is OnError.KEEP_GOING
            and is_last
            and failure.kind is not FailureClass.INTERRUPTED
        ):
            self._teller.blocks(index)
