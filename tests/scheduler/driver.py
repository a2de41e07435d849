"""A driver without tasks or processes: answers instructions in any order a test asks for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exprun.scheduler import vocabulary as words
from exprun.scheduler.machine import Scheduler
from exprun.scheduler.vocabulary import StageKey, StageState, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun.scheduler.budget import Limits
    from exprun.scheduler.vocabulary import ExperimentPlan, Instruction, Needs, Stimulus


@dataclass
class Driver:
    """Keeps the open effects of a scheduler and checks its promises at every step.

    `fails` decides whether a stage's command fails, `refuses` whether an experiment cannot be
    opened, `spoils` whether a stage cannot be checked or saved; `flight` names a stage's work,
    and a failure of it may be `conclusive`. The machine has `room` for so many stages at a time.
    """

    plans: dict[str, ExperimentPlan]
    limits: Limits
    max_open: int | None = None
    max_failures: int | None = None
    fail_fast: bool = False
    fails: Callable[[StageKey, int], bool] = lambda key, attempt: False
    refuses: Callable[[str, int], bool] = lambda experiment, time: False
    spoils: Callable[[Instruction], bool] = lambda effect: False
    conclusive: Callable[[StageKey], bool] = lambda key: False
    room: int | None = None
    flight: Callable[[StageKey], str | None] = lambda key: None
    unchanged: Callable[[StageKey], bool] = lambda key: False
    scheduler: Scheduler = field(init=False)
    effects: list[Instruction] = field(default_factory=list)
    running: dict[StageKey, tuple[Needs, tuple[str, ...]]] = field(default_factory=dict)
    runs: Counter[StageKey] = field(default_factory=Counter)
    started: list[StageKey] = field(default_factory=list)
    stopping: set[StageKey] = field(default_factory=set)
    finished: dict[str, words.FinishExperiment] = field(default_factory=dict)
    opened: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    """How often an experiment was opened, and how often that came to an end."""
    cache: dict[str, str] = field(default_factory=dict)
    """What work that was done has made."""
    outs: dict[StageKey, str] = field(default_factory=dict)
    """What is in the workspaces of experiments."""
    _admitted: set[str] = field(default_factory=set)
    _cancelled: set[str] = field(default_factory=set)
    _works: dict[StageKey, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(
            self.limits,
            max_open=self.max_open,
            max_failures=self.max_failures,
            fail_fast=self.fail_fast,
        )

    def send(self, stimulus: Stimulus) -> list[Instruction]:
        if isinstance(stimulus, words.CancelRequested):
            wanted = self.plans if stimulus.experiment is None else {stimulus.experiment}
            self._cancelled.update(name for name in wanted if self.opened[name] > self.ended[name])
        instructions = self.scheduler.handle(stimulus)
        for instruction in instructions:
            self._receive(instruction)
        assert len(self.running) == self.scheduler.running <= self.limits.jobs
        self._check_budget()
        return instructions

    def start(self) -> list[Instruction]:
        return self.send(words.ExperimentsOffered(tuple(self.plans)))

    def answer(self, effect: Instruction) -> list[Instruction]:
        """Let one open effect end."""
        self.effects.remove(effect)
        return self.send(self._outcome(effect))

    def finish(self, choose: Callable[[int], int] = lambda count: 0) -> None:
        """Answer open effects, picked by `choose`, until none is left."""
        while self.effects:
            self.answer(self.effects[choose(len(self.effects))])
        assert self.scheduler.is_idle

    @property
    def in_hand(self) -> int:
        """How many experiments are open, or being opened or closed."""
        return self.opened.total() - self.ended.total()

    def _receive(self, instruction: Instruction) -> None:
        match instruction:
            case words.StopStage(key, _):
                self.stopping.add(key)
                return
            case words.FailStage(key, leader):
                assert key.experiment in self._admitted, "fails after its end"
                assert self._works[key] == self._works[leader] is not None
                return
            case words.OpenExperiment(experiment):
                assert self.opened[experiment] == self.ended[experiment], "opened while it is open"
                self.opened[experiment] += 1
                self._cancelled.discard(experiment)
                assert self.max_open is None or self.in_hand <= self.max_open
            case words.RunStage(key, gpus):
                self._run(key, gpus)
            case words.FinishExperiment(experiment, _, states):
                self._admitted.remove(experiment)  # Else it ends twice.
                self._check_outs(experiment, states)
                self.finished[experiment] = instruction
            case words.CheckStage(key, _) | words.SaveStage(key) | words.WaitToRetry(key, _):
                assert key.experiment in self._admitted, "goes on after its end"
        self.effects.append(instruction)

    def _run(self, key: StageKey, gpus: tuple[str, ...]) -> None:
        assert key.experiment in self._admitted, "runs after its end"
        assert key.experiment not in self._cancelled, "runs although it was cancelled"
        assert key not in self.running
        work = self._works[key]
        assert work is None or all(self._works[other] != work for other in self.running)
        self.running[key] = (self._planned(key).needs, gpus)
        self.runs[key] += 1
        self.started.append(key)

    def _check_outs(self, experiment: str, states: tuple[StageState, ...]) -> None:
        """A stage that is done has the outs that it would have made if it were alone."""
        for index, state in enumerate(states):
            key = StageKey(experiment, index)
            if state in (StageState.RESTORED, StageState.SUCCEEDED):
                assert self.outs[key] == self._result(key)

    def _result(self, key: StageKey) -> str:
        """What a stage makes: the same as others with the same work, and as nothing else."""
        return self.flight(key) or f"{key.experiment}:{key.stage}"

    def _planned(self, key: StageKey) -> words.PlannedStage:
        return self.plans[key.experiment].stages[key.stage]

    def _outcome(self, effect: Instruction) -> Stimulus:
        match effect:
            case words.OpenExperiment(experiment):
                if self.refuses(experiment, self.opened[experiment]):
                    self.ended[experiment] += 1
                    return words.ExperimentNotOpened(experiment)
                self._admitted.add(experiment)
                for index in range(len(self.plans[experiment].stages)):
                    self.outs.pop(StageKey(experiment, index), None)
                    self.stopping.discard(StageKey(experiment, index))
                return words.ExperimentOpened(experiment, self.plans[experiment])
            case words.CheckStage(key, forced):
                return self._checked(key, forced=forced)
            case words.RunStage(key, _, attempt, may_wait):
                del self.running[key]
                if may_wait and self.room is not None and len(self.running) >= self.room:
                    return words.StageNotStarted(key)
                failed = self.fails(key, attempt) or key in self.stopping
                conclusive = failed and self.conclusive(key)
                return words.StageRan(key, not failed, conclusive=conclusive)
            case words.SaveStage(key):
                if self.spoils(effect):
                    return words.StageSaved(key, False)
                self.outs[key] = self._result(key)
                if self.flight(key) is not None:
                    self.cache[self._result(key)] = self.outs[key]
                return words.StageSaved(key, True)
            case words.WaitToRetry(key, _):
                return words.RetryDue(key)
            case words.FinishExperiment(experiment, verdict, _):
                self.ended[experiment] += 1
                succeeded = verdict is words.ExperimentVerdict.SUCCEEDED
                return words.ExperimentClosed(experiment, succeeded)
            case words.StopStage() | words.FailStage():
                raise AssertionError("has no answer")

    def _checked(self, key: StageKey, *, forced: bool) -> words.StageChecked:
        work = None if forced else self.flight(key)
        self._works[key] = work
        if self.spoils(words.CheckStage(key, forced)):
            return words.StageChecked(key, Verdict.FAILED)
        if work in self.cache:
            self.outs[key] = self.cache[work]
            return words.StageChecked(key, Verdict.RESTORED)
        if self.unchanged(key) and not forced:
            return words.StageChecked(key, Verdict.UNCHANGED)
        return words.StageChecked(key, Verdict.MUST_RUN, work)

    def _check_budget(self) -> None:
        needs = [needs for needs, _ in self.running.values()]
        gpus = [gpu for _, handed in self.running.values() for gpu in handed]
        mutexes = [mutex for need in needs for mutex in need.mutexes]
        assert len(gpus) == len(set(gpus)) == sum(need.gpus for need in needs)
        assert len(mutexes) == len(set(mutexes))
        assert self.limits.cpus is None or sum(n.cpus for n in needs) < self.limits.cpus + 0.001
        assert self.limits.mem is None or sum(n.mem for n in needs) <= self.limits.mem
