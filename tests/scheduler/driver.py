"""A driver without tasks or processes: answers instructions in any order a test asks for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exprun.scheduler import vocabulary as words
from exprun.scheduler.machine import Scheduler
from exprun.scheduler.vocabulary import StageKey, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun.scheduler.budget import Limits
    from exprun.scheduler.vocabulary import ExperimentPlan, Instruction, Needs, Stimulus


@dataclass
class Driver:
    """Keeps the open effects of a scheduler and checks its promises at every step.

    `fails` decides whether a stage's command fails; `flight` names the work of a stage.
    """

    plans: dict[str, ExperimentPlan]
    limits: Limits
    max_open: int | None = None
    fails: Callable[[StageKey, int], bool] = lambda key, attempt: False
    flight: Callable[[StageKey], str | None] = lambda key: None
    unchanged: Callable[[StageKey], bool] = lambda key: False
    scheduler: Scheduler = field(init=False)
    effects: list[Instruction] = field(default_factory=list)
    running: dict[StageKey, tuple[Needs, tuple[str, ...]]] = field(default_factory=dict)
    runs: Counter[StageKey] = field(default_factory=Counter)
    started: list[StageKey] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    stopping: set[StageKey] = field(default_factory=set)
    finished: dict[str, words.FinishExperiment] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.limits, max_open=self.max_open)

    def send(self, stimulus: Stimulus) -> list[Instruction]:
        instructions = self.scheduler.handle(stimulus)
        for instruction in instructions:
            self._receive(instruction)
        assert len(self.running) <= self.limits.jobs
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

    def _receive(self, instruction: Instruction) -> None:
        match instruction:
            case words.StopStage(key, _):
                self.stopping.add(key)
                return
            case words.OpenExperiment(experiment):
                assert experiment not in self.opened, "opened twice"
                self.opened.add(experiment)
            case words.RunStage(key, gpus, _):
                assert key.experiment not in self.finished, "runs after its end"
                assert key not in self.running
                self.running[key] = (self._planned(key).needs, gpus)
                self.runs[key] += 1
                self.started.append(key)
            case words.FinishExperiment(experiment):
                assert experiment not in self.finished, "ended twice"
                self.finished[experiment] = instruction
            case _:
                pass
        self.effects.append(instruction)

    def _planned(self, key: StageKey) -> words.PlannedStage:
        return self.plans[key.experiment].stages[key.stage]

    def _outcome(self, effect: Instruction) -> Stimulus:
        match effect:
            case words.OpenExperiment(experiment):
                return words.ExperimentOpened(experiment, self.plans[experiment])
            case words.CheckStage(key, forced):
                work = None if forced else self.flight(key)
                if work is not None and work in self.done:
                    return words.StageChecked(key, Verdict.RESTORED)
                if self.unchanged(key) and not forced:
                    return words.StageChecked(key, Verdict.UNCHANGED)
                return words.StageChecked(key, Verdict.MUST_RUN, work)
            case words.RunStage(key, _, attempt):
                del self.running[key]
                failed = self.fails(key, attempt) or key in self.stopping
                return words.StageRan(key, not failed)
            case words.SaveStage(key):
                work = self.flight(key)
                if work is not None:
                    self.done.add(work)
                return words.StageSaved(key, True)
            case words.WaitToRetry(key, _):
                return words.RetryDue(key)
            case words.FinishExperiment(experiment, verdict, _):
                succeeded = verdict is words.ExperimentVerdict.SUCCEEDED
                return words.ExperimentClosed(experiment, succeeded)
            case words.StopStage():
                raise AssertionError("has no answer")

    def _check_budget(self) -> None:
        needs = [needs for needs, _ in self.running.values()]
        gpus = [gpu for _, handed in self.running.values() for gpu in handed]
        mutexes = [mutex for need in needs for mutex in need.mutexes]
        assert len(gpus) == len(set(gpus)) == sum(need.gpus for need in needs)
        assert len(mutexes) == len(set(mutexes))
        assert self.limits.cpus is None or sum(n.cpus for n in needs) <= self.limits.cpus
        assert self.limits.mem is None or sum(n.mem for n in needs) <= self.limits.mem
