"""What happens in a run, as public facts: frozen values in the past tense, for any subscriber."""

from __future__ import annotations

import base64
import dataclasses
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exprun.model.job import CancelReason, FailureClass, JobOutcome


class StageState(StrEnum):
    """Where a stage is. Only a `RUNNING` stage takes a job slot; the last six are final."""

    WAITING = "waiting"
    READY = "ready"
    CHECKING = "checking"
    RESTORING = "restoring"
    RUNNING = "running"
    SAVING = "saving"
    UNCHANGED = "unchanged"
    RESTORED = "restored"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"

    @property
    def is_final(self) -> bool:
        return self in _FINAL

    @property
    def is_good(self) -> bool:
        """Whether stages that depend on this one may go on."""
        return self in _GOOD


_GOOD = frozenset({StageState.UNCHANGED, StageState.RESTORED, StageState.SUCCEEDED})
_FINAL = _GOOD | {StageState.FAILED, StageState.CANCELLED, StageState.BLOCKED}


class ExperimentState(StrEnum):
    """How an experiment, or a whole run, ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact. `seq` counts the events of a run from 1; `at` is in seconds since the epoch."""

    seq: int = 0
    at: float = 0.0
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run began, with at most `jobs` stages at once."""

    jobs: int
    experiments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelling(Event):
    """Nothing new starts; what runs is being stopped."""

    reason: CancelReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """Nothing runs any more."""

    state: ExperimentState
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentEvent(Event):
    """A fact about one experiment; its name is None for a plain reproduction."""

    experiment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentQueued(ExperimentEvent):
    """The experiment is accepted, durably."""

    baseline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentStarted(ExperimentEvent):
    """An attempt began in the workspace at `workspace`."""

    attempt: str
    workspace: str
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentCommitting(ExperimentEvent):
    """All stages are good; the result is being stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentFinished(ExperimentEvent):
    """The experiment ended; `rev` is the commit of its result, if there is one."""

    state: ExperimentState
    duration_s: float
    rev: str | None = None
    failure: FailureClass | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvent(ExperimentEvent):
    """A fact about one stage, by its address as displayed."""

    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSkipped(StageEvent):
    """Nothing the stage depends on has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRestored(StageEvent):
    """The outputs came from the run cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(StageEvent):
    """The stage's commands run; their output goes to `log`."""

    commands: tuple[str, ...]
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutput(StageEvent):
    """Output that the log holds at `offset`. Only for those who subscribe to it."""

    data: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStopping(StageEvent):
    """The stage's processes have been asked to end."""

    reason: CancelReason


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished(StageEvent):
    """The stage ran and reached a final state. `outcome` is how its commands ended."""

    state: StageState
    duration_s: float
    outcome: JobOutcome | None = None
    failure: FailureClass | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBlocked(StageEvent):
    """The stage will not run because `by` did not end well."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDropped(Event):
    """This subscriber was too slow and lost output; the logs have it."""

    events: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRaised(Event):
    """Something the user should know that stops nothing."""

    message: str
    where: str | None = None
    hint: str | None = None


def to_json(event: Event) -> dict[str, object]:
    """`event` as JSON values: its class as ``event``, then its fields."""
    return {"event": type(event).__name__} | _fields(event)


def _fields(value: object) -> dict[str, object]:
    fields = dataclasses.fields(value)  # type: ignore[arg-type]  # Only called with dataclasses.
    found: dict[str, object] = {}
    for field in fields:
        content = getattr(value, field.name)
        if isinstance(content, bytes):
            found |= _text(field.name, content)
        else:
            found[field.name] = _plain(content)
    return found


def _plain(value: object) -> object:
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {"kind": type(value).__name__} | _fields(value)
    return value


def _text(name: str, data: bytes) -> dict[str, object]:
    """Bytes as text for people and, where that loses something, as base64 for programs."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        exact = base64.b64encode(data).decode("ascii")
        return {name: data.decode("utf-8", "replace"), f"{name}_base64": exact}
