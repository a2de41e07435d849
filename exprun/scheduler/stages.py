"""The experiments that a scheduler has in hand: their stages, how far those are, how urgent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.model.experiment import OnError
from exprun.model.values import dataclass, field
from exprun.scheduler.vocabulary import StageKey, StageState

if TYPE_CHECKING:
    from exprun.model.job import CancelReason
    from exprun.scheduler.vocabulary import ExperimentPlan, Needs, PlannedStage


@dataclass(slots=True, eq=False)
class Stage:
    """A stage of an open experiment. The smallest is the most urgent.

    Those of one `kind` have the same needs.
    """

    key: StageKey
    planned: PlannedStage
    priority: tuple[float, int, int]
    kind: int
    forced: bool
    state: StageState = StageState.WAITING
    unmet: int = 0
    downstream: list[int] = field(default_factory=list)
    attempt: int = 0
    refused: int = 0
    gpus: tuple[str, ...] = ()
    flight: str | None = None

    def __lt__(self, other: Stage) -> bool:
        return self.priority < other.priority


@dataclass(slots=True, eq=False)
class Experiment:
    """An open experiment."""

    id: str
    plan: ExperimentPlan
    stages: list[Stage]
    unfinished: int
    cursor: int = 0
    failed: bool = False
    cancelled: CancelReason | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a command of it has been started."""
        return any(stage.attempt for stage in self.stages)

    def is_stopping(self) -> bool:
        return self.cancelled is not None or (self.failed and self.plan.on_error is OnError.FAIL)


def build_experiment(
    id: str,
    plan: ExperimentPlan,
    *,
    kinds: dict[Needs, int],
    order: int,
    one_by_one: bool = False,
) -> Experiment:
    """An experiment that is the `order`-th to be opened. New kinds of stages are added to `kinds`.

    Over all experiments, the stage with the longest way to the end of its own goes first. Where
    stages run `one_by_one` that gains nothing, and results come sooner one experiment after the
    other.
    """
    remaining = _critical_paths(plan)
    stages = [
        Stage(
            key=StageKey(id, index),
            planned=planned,
            kind=kinds.setdefault(planned.needs, len(kinds)),
            priority=(0.0 if one_by_one else -remaining[index], order, index),
            forced=planned.forced,
            unmet=len(planned.upstream),
        )
        for index, planned in enumerate(plan.stages)
    ]
    for stage in stages:
        for index in stage.planned.upstream:
            stages[index].downstream.append(stage.key.stage)
    return Experiment(id=id, plan=plan, stages=stages, unfinished=len(stages))


def _critical_paths(plan: ExperimentPlan) -> list[float]:
    """For each stage, the expected seconds from its start to the end of its longest chain."""
    longest = [planned.expected_s for planned in plan.stages]
    for index in reversed(range(len(plan.stages))):
        for earlier in plan.stages[index].upstream:
            longest[earlier] = max(
                longest[earlier], plan.stages[earlier].expected_s + longest[index]
            )
    return longest
