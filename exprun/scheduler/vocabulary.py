"""The scheduler's words: what it is told (stimuli) and what it asks for (instructions).

Every instruction that starts an effect is answered by exactly one stimulus:

    OpenExperiment    ->  ExperimentOpened | ExperimentNotOpened
    CheckStage        ->  StageChecked
    RunStage          ->  StageRan
    SaveStage         ->  StageSaved
    WaitToRetry       ->  RetryDue
    FinishExperiment  ->  ExperimentClosed

`StopStage` has no answer of its own: it makes the `StageRan` of the stage come soon. `FailStage`
has none at all.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from exprun.model.experiment import OnError
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from exprun.model.job import CancelReason


class StageKey(NamedTuple):
    """A stage of a running experiment: the experiment's id and the stage's place in its plan."""

    experiment: str
    stage: int


class StageState(Enum):
    """Where a stage stands. Only `RUNNING` takes a job slot and resources."""

    WAITING = "waiting"
    ELIGIBLE = "eligible"
    CHECKING = "checking"
    FOLLOWING = "following"
    READY = "ready"
    RUNNING = "running"
    BACKING_OFF = "backing off"
    SAVING = "saving"
    UNCHANGED = "unchanged"
    RESTORED = "restored"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IGNORED = "ignored"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"

    @property
    def is_final(self) -> bool:
        return self in _FINAL

    @property
    def satisfies(self) -> bool:
        """Whether the stages downstream may go on."""
        return self in _SATISFYING


_SATISFYING = frozenset(
    {StageState.UNCHANGED, StageState.RESTORED, StageState.SUCCEEDED, StageState.IGNORED}
)
_FINAL = _SATISFYING | {StageState.FAILED, StageState.CANCELLED, StageState.BLOCKED}


class Verdict(Enum):
    """What a check found."""

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    MUST_RUN = "must run"
    FAILED = "failed"


class ExperimentVerdict(Enum):
    """How the stages of an experiment ended, taken together."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_BEGUN = "not begun"
    """It was opened ahead, and nothing more was to be started when its turn came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a stage holds while it runs, besides one job slot. `mem` is in bytes."""

    cpus: float = 0
    gpus: int = 0
    mem: int = 0
    mutexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """A stage of a plan: which stages of the same plan come before it, and how it runs."""

    upstream: tuple[int, ...] = ()
    forced: bool = False
    needs: Needs = field(default_factory=Needs)
    retries: int = 0
    expected_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """The stages of one experiment, in the order in which DVC would run them.

    A `serial` plan has one stage in hand at a time, in that order.
    """

    stages: tuple[PlannedStage, ...]
    on_error: OnError = OnError.FAIL
    force_downstream: bool = False
    serial: bool = False


# Stimuli


@dataclass(frozen=True, slots=True)
class ExperimentsOffered:
    """Experiments that may be opened, in this order, after those offered before.

    One that is in hand is opened again once it has ended.
    """

    experiments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExperimentsOrdered:
    """Those of these experiments that wait to be opened go before all others, in this order."""

    experiments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExperimentWithdrawn:
    """An experiment offered but not opened shall not run, nor one that is open a second time."""

    experiment: str


@dataclass(frozen=True, slots=True)
class ExperimentOpened:
    experiment: str
    plan: ExperimentPlan


@dataclass(frozen=True, slots=True)
class ExperimentNotOpened:
    """An experiment will not run: that `failed`, or there is nothing (more) to do."""

    experiment: str
    failed: bool = True


@dataclass(frozen=True, slots=True)
class StageChecked:
    """`flight` names the work when an identical stage elsewhere may do it for this one too."""

    key: StageKey
    verdict: Verdict
    flight: str | None = None


@dataclass(frozen=True, slots=True)
class StageRan:
    """The command ended; `retryable` says whether another try may help. If it failed, and that was
    `conclusive`, identical work would fail as well.
    """

    key: StageKey
    succeeded: bool
    retryable: bool = True
    conclusive: bool = False


@dataclass(frozen=True, slots=True)
class StageNotStarted:
    """The machine had no room for one more process."""

    key: StageKey


@dataclass(frozen=True, slots=True)
class StageSaved:
    key: StageKey
    succeeded: bool


@dataclass(frozen=True, slots=True)
class RetryDue:
    key: StageKey


@dataclass(frozen=True, slots=True)
class ExperimentClosed:
    experiment: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Stop one experiment, or all of them; none means all."""

    reason: CancelReason
    experiment: str | None = None


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """Begin no more experiments; finish those of which a command has been started."""


Stimulus = (
    ExperimentsOffered
    | ExperimentsOrdered
    | ExperimentWithdrawn
    | ExperimentOpened
    | ExperimentNotOpened
    | StageChecked
    | StageRan
    | StageNotStarted
    | StageSaved
    | RetryDue
    | ExperimentClosed
    | CancelRequested
    | DrainRequested
)


# Instructions


@dataclass(frozen=True, slots=True)
class OpenExperiment:
    experiment: str


@dataclass(frozen=True, slots=True)
class CheckStage:
    key: StageKey
    forced: bool


@dataclass(frozen=True, slots=True)
class RunStage:
    """If the machine has no room for it, the stage is not started, or fails: as it `may_wait`."""

    key: StageKey
    gpus: tuple[str, ...] = ()
    attempt: int = 1
    may_wait: bool = True


@dataclass(frozen=True, slots=True)
class StopStage:
    key: StageKey
    reason: CancelReason


@dataclass(frozen=True, slots=True)
class FailStage:
    """The stage, which did not run, has failed as `leader` has with the same work."""

    key: StageKey
    leader: StageKey


@dataclass(frozen=True, slots=True)
class SaveStage:
    key: StageKey


@dataclass(frozen=True, slots=True)
class WaitToRetry:
    key: StageKey
    attempt: int


@dataclass(frozen=True, slots=True)
class FinishExperiment:
    experiment: str
    verdict: ExperimentVerdict
    states: tuple[StageState, ...]


Instruction = (
    OpenExperiment
    | CheckStage
    | RunStage
    | StopStage
    | FailStage
    | SaveStage
    | WaitToRetry
    | FinishExperiment
)
