"""What happened, as typed facts: the one stream that displays, logs and services are made of.

Every event tells when it happened (`at`, seconds since the epoch), in which `run` of the library,
and its place in that run's stream (`seq`). Stages are named by their address, experiments by name.
`to_json` gives the form written by ``--events``; ``--log-json`` leaves out what is null, and adds a
``timestamp`` in words.
"""

from __future__ import annotations

import base64
import dataclasses
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from exprun.model.values import dataclass

if TYPE_CHECKING:
    from exprun.model.experiment import StageResult
    from exprun.model.job import CancelReason, FailureClass
    from exprun.model.paths import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    seq: int = 0
    at: float = 0.0
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A runner is ready."""

    root: str
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelling(Event):
    """Everything that runs is asked to stop."""

    reason: CancelReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """Nothing runs any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentQueued(Event):
    """An experiment is in the queue for good."""

    experiment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentStarted(Event):
    """The stages of an experiment are about to be looked at; `log_dir` is where their logs go."""

    experiment: str
    baseline: str
    log_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentCommitting(Event):
    """All stages are up to date; the commit is being made."""

    experiment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPushing(Event):
    """An experiment is stored, and is being pushed to the Git remote `remote`."""

    experiment: str
    remote: str


INTERRUPTED = "interrupted"
NOT_BEGUN = "not begun, and still queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentFinished(Event):
    """An experiment ended: with its commit `rev`, or with the `reason` why there is none.

    That is `INTERRUPTED` for one that was stopped and `NOT_BEGUN` for one that was only made ready;
    a program that cancels or loses sight of one is told so in words. `kept` is a commit of what
    there was of one that failed or was stopped. An `isolated` one ran in a directory of its own.
    """

    experiment: str
    rev: str | None = None
    reason: str | None = None
    kept: str | None = None
    isolated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvent(Event):
    """Something about one stage; `experiment` is None outside of experiments."""

    stage: str
    experiment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSkipped(StageEvent):
    """Nothing changed. `is_data`: the stage is a .dvc file."""

    is_data: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRestored(StageEvent):
    """The outputs come from the cache; the command does not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePulled(StageEvent):
    """Only data was missing, and it was fetched from a remote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageVerified(StageEvent):
    """A frozen stage, or one without a command, is recorded from the outputs that are there."""

    is_data: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageImporting(StageEvent):
    """Imported data is copied again from its `source`, which has changed."""

    source: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(StageEvent):
    """The commands of a stage are about to run, with their output going to `log`."""

    log: str
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStarted(StageEvent):
    """One of a stage's commands is about to start: `command` as people are shown it."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutput(StageEvent):
    """What a stage wrote, as it is in the log at `offset`."""

    data: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStopping(StageEvent):
    """The commands of a stage are asked to end."""

    reason: CancelReason


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDeferred(StageEvent):
    """The commands that were to start are started later: the machine had no room for them."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRetrying(StageEvent):
    """The commands failed, or found no room, as was told, and are run again after `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished(StageEvent):
    """A stage, or one try of it, ended. `message` says why it failed, `failure` the kind of it."""

    result: StageResult
    message: str | None = None
    failure: FailureClass | None = None
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StagesBlocked(Event):
    """These stages will not run because `stage` failed."""

    stage: str
    blocked: tuple[str, ...]
    experiment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWritten(Event):
    """An entry went into a lock file, which was `created` for it and `changed` by it."""

    file: Location
    created: bool
    changed: bool
    experiment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDropped(StageEvent):
    """A subscriber was too slow and missed this many bytes; the log has them."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRaised(Event):
    """Something is not as it should be, and does not keep anything from going on."""

    message: str
    experiment: str | None = None


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
