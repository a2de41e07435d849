"""The scheduler: one door in (`handle`), instructions out, and no clock, files or tasks inside.

A stage waits for its upstream stages, is *checked* (unchanged, restored, or it must run), becomes
*ready*, *runs* while it holds a job slot and its other needs, and is *saved*. Identical work is
done once: the first stage that must run leads its flight, the others follow and are checked again
when it is saved. If its command fails they fail as well, unless another try may help. An experiment
is finished when each of its stages is in a final state; until the driver reports it closed it
counts as open, which bounds how many workspaces exist.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, assert_never

from exprun.model.experiment import OnError
from exprun.model.job import CancelReason
from exprun.scheduler import vocabulary as words
from exprun.scheduler.budget import Budget, Limits, Reserved
from exprun.scheduler.eligible import Eligible
from exprun.scheduler.flights import Flights
from exprun.scheduler.line import Line
from exprun.scheduler.offers import Offers
from exprun.scheduler.stages import build_experiment
from exprun.scheduler.vocabulary import ExperimentVerdict, StageState, Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from exprun.scheduler.stages import Experiment, Stage
    from exprun.scheduler.vocabulary import (
        ExperimentPlan,
        Instruction,
        Needs,
        StageKey,
        Stimulus,
    )


_NOT_STARTED = frozenset(
    {StageState.WAITING, StageState.ELIGIBLE, StageState.FOLLOWING, StageState.READY}
)

_NOT_FAILED = frozenset({ExperimentVerdict.CANCELLED, ExperimentVerdict.NOT_BEGUN})

_MOST_REFUSALS = 4
"""So often a stage that runs alone waits until the machine has room: half a minute in all."""


class InvalidTransition(Exception):
    """A stimulus that no state of its stage or experiment expects: an error of the driver."""

    def __init__(self, subject: object, state: object, stimulus: Stimulus) -> None:
        super().__init__(f"{subject} is {state}, which {stimulus} does not answer")


class Scheduler:
    """Decides what runs next within `limits`; see the module's text and `vocabulary`."""

    def __init__(
        self,
        limits: Limits,
        *,
        max_open: int | None = None,
        max_failures: int | None = None,
        fail_fast: bool = False,
    ) -> None:
        self._budget = Budget(limits)
        self._max_open = max_open or 2 * limits.jobs + 2
        self._max_failures = max_failures
        self._fail_fast = fail_fast
        self._offers = Offers(self._is_in_hand)
        self._opening: dict[str, CancelReason | None] = {}
        self._open: dict[str, Experiment] = {}
        self._closing: dict[str, ExperimentVerdict] = {}
        self._eligible = Eligible()
        self._flights = Flights()
        self._line = Line()
        self._kinds: dict[Needs, int] = {}
        self._opened = 0
        self._failures = 0
        self._draining = False
        self._instructions: list[Instruction] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open and nothing will be opened without a new offer."""
        return not (self._opening or self._open or self._closing) and (
            self._draining or not self._offers
        )

    @property
    def is_draining(self) -> bool:
        """Whether no offer will be taken up any more."""
        return self._draining

    @property
    def running(self) -> int:
        """How many job slots are taken."""
        return self._budget.jobs

    def handle(self, stimulus: Stimulus) -> list[Instruction]:
        """Take in what happened and return what to do now.

        Raises InvalidTransition, and changes nothing, if the stimulus answers no instruction.
        """
        match stimulus:
            case words.ExperimentsOffered(experiments):
                self._offers.add(experiments)
            case words.ExperimentsOrdered(experiments):
                self._offers.put_first(experiments)
            case words.ExperimentWithdrawn(experiment):
                self._offers.withdraw(experiment)
            case words.ExperimentOpened(experiment, plan):
                self._admit(stimulus, experiment, plan)
            case words.ExperimentNotOpened(experiment, failed):
                if experiment not in self._opening:
                    raise InvalidTransition(experiment, "not being opened", stimulus)
                del self._opening[experiment]
                self._offers.let_go(experiment)
                self._count(failed)
            case words.StageChecked(key, verdict, flight):
                stage = self._stage(key, StageState.CHECKING, stimulus)
                self._line.end_check(stage)
                self._checked(stage, verdict, flight)
            case words.StageRan(key, succeeded, retryable, conclusive):
                stage = self._stage(key, StageState.RUNNING, stimulus)
                self._ran(stage, succeeded, retryable, conclusive)
            case words.StageNotStarted(key):
                self._put_off(self._stage(key, StageState.RUNNING, stimulus))
            case words.StageSaved(key, succeeded):
                stage = self._stage(key, StageState.SAVING, stimulus)
                self._end(stage, StageState.SUCCEEDED if succeeded else self._failure(stage))
            case words.RetryDue(key):
                stage = self._stage(key, StageState.BACKING_OFF, stimulus)
                if self._open[key.experiment].is_stopping():
                    self._end(stage, self._stopped_state(stage))
                else:
                    self._make_ready(stage)
            case words.ExperimentClosed(experiment, succeeded):
                if experiment not in self._closing:
                    raise InvalidTransition(experiment, "not being closed", stimulus)
                ended = self._closing.pop(experiment)
                self._offers.let_go(experiment)
                self._count(not succeeded and ended not in _NOT_FAILED)
            case words.CancelRequested(reason, experiment):
                self._cancel(reason, experiment)
            case words.DrainRequested():
                self._drain()
            case _:
                assert_never(stimulus)
        self._pump()
        instructions, self._instructions = self._instructions, []
        return instructions

    # Experiments

    def _is_in_hand(self, experiment: str) -> bool:
        return any(experiment in hand for hand in (self._opening, self._open, self._closing))

    def _admit(self, stimulus: Stimulus, experiment: str, plan: ExperimentPlan) -> None:
        if experiment not in self._opening:
            raise InvalidTransition(experiment, "not being opened", stimulus)
        cancelled = self._opening.pop(experiment)
        self._opened += 1
        one_by_one = self._budget.limits.jobs == 1
        record = build_experiment(
            experiment, plan, kinds=self._kinds, order=self._opened, one_by_one=one_by_one
        )
        self._open[experiment] = record
        stages = record.stages
        if not stages:
            self._finish(record)
        elif plan.serial:
            self._make_eligible(stages[0])
        else:
            for stage in stages:
                if not stage.unmet:
                    self._make_eligible(stage)
        if cancelled is not None:
            self._cancel_open(record, cancelled)
        elif self._draining:
            self._put_back(record)

    def _count(self, failed: bool) -> None:
        """Take an experiment's end into account; one that was cancelled has not failed."""
        self._failures += failed
        if failed and self._fail_fast:
            self._cancel(CancelReason.STAGE_FAILED, None)
        if self._max_failures is not None and self._failures >= self._max_failures:
            self._drain()

    def _drain(self) -> None:
        """Begin nothing more: what was opened ahead is given back."""
        self._draining = True
        for experiment in list(self._open.values()):
            self._put_back(experiment)

    def _put_back(self, experiment: Experiment) -> None:
        if not experiment.has_begun:
            self._cancel_open(experiment, CancelReason.DRAINED)

    def _finish(self, experiment: Experiment) -> None:
        states = tuple(stage.state for stage in experiment.stages)
        if all(state.satisfies for state in states):
            verdict = ExperimentVerdict.SUCCEEDED
        elif experiment.failed:
            verdict = ExperimentVerdict.FAILED
        elif experiment.cancelled is CancelReason.DRAINED:
            verdict = ExperimentVerdict.NOT_BEGUN
        else:
            verdict = ExperimentVerdict.CANCELLED
        del self._open[experiment.id]
        self._closing[experiment.id] = verdict
        self._instructions.append(words.FinishExperiment(experiment.id, verdict, states))

    # Cancelling

    def _cancel(self, reason: CancelReason, experiment: str | None) -> None:
        if experiment is None:
            self._draining = True
            for name in [*self._opening, *self._open]:
                self._cancel(reason, name)
            return
        self._offers.withdraw(experiment)
        if experiment in self._opening:
            self._opening[experiment] = reason
        elif experiment in self._open:
            self._cancel_open(self._open[experiment], reason)

    def _cancel_open(self, experiment: Experiment, reason: CancelReason) -> None:
        if experiment.cancelled is not None and reason <= experiment.cancelled:
            return
        experiment.cancelled = reason
        for stage in experiment.stages:
            if stage.state in {StageState.RUNNING, StageState.BACKING_OFF}:
                self._instructions.append(words.StopStage(stage.key, reason))
        self._give_up_waiting(experiment)

    def _give_up_waiting(self, experiment: Experiment) -> None:
        """End the stages of an experiment that have not been started and now never will be."""
        for stage in experiment.stages:
            if stage.state in _NOT_STARTED:
                self._end(stage, self._stopped_state(stage))

    def _stopped_state(self, stage: Stage) -> StageState:
        cancelled = self._open[stage.key.experiment].cancelled is not None
        return StageState.CANCELLED if cancelled else StageState.BLOCKED

    # Stages

    def _stage(self, key: StageKey, expected: StageState, stimulus: Stimulus) -> Stage:
        experiment = self._open.get(key.experiment)
        if experiment is None:
            raise InvalidTransition(key.experiment, "not open", stimulus)
        stage = experiment.stages[key.stage]
        if stage.state is not expected:
            raise InvalidTransition(key, stage.state, stimulus)
        return stage

    def _make_eligible(self, stage: Stage) -> None:
        stage.state = StageState.ELIGIBLE
        self._eligible.add(stage)

    def _make_ready(self, stage: Stage) -> None:
        stage.state = StageState.READY
        self._line.add(stage)

    def _checked(self, stage: Stage, verdict: Verdict, flight: str | None) -> None:
        if verdict is Verdict.UNCHANGED:
            self._end(stage, StageState.UNCHANGED)
        elif verdict is Verdict.RESTORED:
            self._end(stage, StageState.RESTORED)
        elif verdict is Verdict.FAILED:
            self._end(stage, self._failure(stage))
        elif self._open[stage.key.experiment].is_stopping():
            self._end(stage, self._stopped_state(stage))
        elif flight is not None and self._flights.join(stage, flight):
            stage.state = StageState.FOLLOWING
        else:
            self._make_ready(stage)

    def _ran(self, stage: Stage, succeeded: bool, retryable: bool, conclusive: bool) -> None:
        self._give_back(stage)
        self._budget.widen()
        stage.refused = 0
        stopping = self._open[stage.key.experiment].is_stopping()
        if succeeded:
            stage.state = StageState.SAVING
            self._instructions.append(words.SaveStage(stage.key))
        elif retryable and not stopping and stage.attempt <= stage.planned.retries:
            stage.state = StageState.BACKING_OFF
            self._instructions.append(words.WaitToRetry(stage.key, stage.attempt))
        else:
            followers = self._flights.followers(stage) if conclusive else ()
            was_cancelled = self._open[stage.key.experiment].cancelled is not None
            self._end(stage, self._failure(stage))
            if not was_cancelled:
                self._fail_alike(followers, stage)

    def _fail_alike(self, followers: Sequence[Stage], leader: Stage) -> None:
        """End stages whose work has failed elsewhere, but for those that have more tries."""
        for stage in followers:
            if stage.state.is_final or stage.planned.retries > leader.planned.retries:
                continue
            # What goes on after a failure needs what the stage leaves behind.
            if self._open[stage.key.experiment].plan.on_error is not OnError.IGNORE:
                self._instructions.append(words.FailStage(stage.key, leader.key))
                self._end(stage, StageState.FAILED)

    def _put_off(self, stage: Stage) -> None:
        """Have a stage wait until others have ended or, if none of ours runs, for a while."""
        self._give_back(stage)
        self._budget.narrow()
        stage.attempt -= 1
        if self._open[stage.key.experiment].is_stopping():
            self._end(stage, self._stopped_state(stage))
        elif self._budget.jobs:
            self._make_ready(stage)
        else:
            stage.refused += 1
            stage.state = StageState.BACKING_OFF
            self._instructions.append(words.WaitToRetry(stage.key, stage.refused))

    def _give_back(self, stage: Stage) -> None:
        self._budget.give_back(stage.planned.needs, stage.gpus)
        stage.gpus = ()

    def _failure(self, stage: Stage) -> StageState:
        experiment = self._open[stage.key.experiment]
        if experiment.cancelled is not None:
            return StageState.CANCELLED
        if experiment.plan.on_error is OnError.IGNORE:
            return StageState.IGNORED
        return StageState.FAILED

    def _end(self, stage: Stage, state: StageState) -> None:
        experiment = self._open[stage.key.experiment]
        before, stage.state = stage.state, state
        if before is StageState.READY:
            self._line.remove(stage)
        elif before is StageState.ELIGIBLE:
            self._eligible.discount(stage)
        self._leave_flight(stage)
        experiment.unfinished -= 1
        if state.satisfies:
            self._release_downstream(experiment, stage)
        elif state is StageState.FAILED:
            self._fail(experiment, stage)
        if experiment.plan.serial and before not in _NOT_STARTED:
            self._advance(experiment)
        if not experiment.unfinished and experiment.id in self._open:
            self._finish(experiment)

    def _leave_flight(self, stage: Stage) -> None:
        followers, leader = self._flights.leave(stage)
        for follower in followers:
            self._make_eligible(follower)
        if leader is not None:
            self._make_ready(leader)

    def _release_downstream(self, experiment: Experiment, stage: Stage) -> None:
        reproduced = stage.state in {StageState.RESTORED, StageState.SUCCEEDED}
        forces = experiment.plan.force_downstream and stage.state is not StageState.IGNORED
        for index in stage.downstream:
            follower = experiment.stages[index]
            follower.unmet -= 1
            if forces and (reproduced or stage.forced):
                follower.forced = True
            if follower.state is StageState.WAITING and not follower.unmet:
                if not experiment.plan.serial and not experiment.is_stopping():
                    self._make_eligible(follower)

    def _fail(self, experiment: Experiment, stage: Stage) -> None:
        experiment.failed = True
        if self._fail_fast:
            self._cancel(CancelReason.STAGE_FAILED, None)
        if experiment.plan.on_error is OnError.FAIL:
            self._give_up_waiting(experiment)
            return
        reached = deque(stage.downstream)
        while reached:
            follower = experiment.stages[reached.popleft()]
            if follower.state is StageState.WAITING:
                self._end(follower, StageState.BLOCKED)
                reached.extend(follower.downstream)

    def _advance(self, experiment: Experiment) -> None:
        """Make the next stage of a serial plan eligible once no other is in hand."""
        if experiment.is_stopping():
            return
        stages = experiment.stages
        while experiment.cursor < len(stages) and stages[experiment.cursor].state.is_final:
            experiment.cursor += 1
        if experiment.cursor < len(stages):
            stage = stages[experiment.cursor]
            if stage.state is StageState.WAITING:
                self._make_eligible(stage)

    # Starting work

    def _pump(self) -> None:
        blocked = self._line.blocked(self._budget)
        self._open_experiments(blocked)
        self._start_checks(blocked)
        self._start_runs()

    def _open_experiments(self, blocked: Container[int]) -> None:
        while (
            self._offers
            and not self._draining
            and len(self._opening) + len(self._open) + len(self._closing) < self._max_open
            and self._demand(blocked) < self._budget.limits.jobs + self._ahead()
        ):
            experiment = self._offers.take()
            self._opening[experiment] = None
            self._instructions.append(words.OpenExperiment(experiment))

    def _ahead(self) -> int:
        """How much is made ready besides what can run: nothing before the only job slot is taken,
        or the second experiment might get it.
        """
        return int(self._budget.limits.jobs > 1 or self._budget.jobs > 0)

    def _demand(self, blocked: Container[int]) -> int:
        """How many job slots what is open could fill now or soon."""
        return (
            len(self._opening)
            + self._eligible.count(but=blocked)
            + self._line.length(but=blocked)
            + self._budget.jobs
        )

    def _start_checks(self, blocked: Container[int]) -> None:
        """Check a little ahead of the free slots, no more: a check far ahead grows stale.

        Those that wait for resources do not count for others, which have no use for these.
        """
        if not self._eligible:
            return
        ahead = self._budget.limits.jobs + 1
        left = ahead - self._line.length(but=blocked)
        if left <= 0 and not blocked:
            return
        held_up = self._line.held_up(blocked)

        def may_be_checked(kind: int) -> bool:
            return held_up[kind] < ahead if kind in blocked else left > 0

        while (stage := self._eligible.pop(may_be_checked)) is not None:
            held_up[stage.kind] += 1
            left -= stage.kind not in blocked
            stage.state = StageState.CHECKING
            self._line.begin_check(stage)
            self._instructions.append(words.CheckStage(stage.key, stage.forced))

    def _start_runs(self) -> None:
        """Start ready stages by priority; one that does not fit keeps what it waits for."""
        reserved = Reserved()
        for stage in self._line:
            if not self._budget.free_jobs:
                return
            needs = stage.planned.needs
            if not reserved.allow(needs) or not self._budget.fits(needs):
                reserved.add(needs)
                continue
            self._line.remove(stage)
            stage.state = StageState.RUNNING
            stage.attempt += 1
            stage.gpus = self._budget.take(needs)
            may_wait = self._budget.jobs > 1 or stage.refused < _MOST_REFUSALS
            run = words.RunStage(stage.key, stage.gpus, stage.attempt, may_wait)
            self._instructions.append(run)
