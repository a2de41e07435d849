"""A job: the commands of one stage as given to an executor, and the ways it can end."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, TypeAlias, assert_never

from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping


class CancelReason(IntEnum):
    """Why a job is to end before its time. A higher reason replaces a lower one."""

    DRAINED = 0
    """Nothing more is to be begun: only what has started no command yet."""
    STAGE_FAILED = 1
    TIMED_OUT = 2
    REQUESTED = 3
    INTERRUPTED = 4
    KILLED = 5


class FailureClass(StrEnum):
    """The kinds of failure, as spelled in records and JSON output."""

    STAGE_EXIT = "stage-exit"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    MISSING_OUTPUT = "missing-output"
    INPUT_MISSING = "input-missing"
    NO_SPACE = "no-space"
    SETUP = "setup"
    INTERRUPTED = "interrupted"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process to run: its argument vector, and the text that people know it by."""

    argv: tuple[str, ...]
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What to run, one command after the other until one fails, and how to end it.

    `mark` is the job's unguessable id: whatever the job starts carries it in its environment, so
    that a later process can find what a killed orchestrator left behind.
    `env` is the whole environment of the commands. It may hold secrets, so it is never shown.
    """

    mark: str
    stage: str
    commands: tuple[Command, ...]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    log: str
    grace_s: float = 10.0
    timeout_s: float | None = None
    foreground: bool = False
    allow_daemons: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHandle:
    """Enough to find a job again from another process. No `native_id`: it never started."""

    executor: str
    native_id: str | None
    mark: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A process that outlived its job; `ended_by` is the last signal sent to it."""

    pid: int
    name: str
    ended_by: str
    survived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """What every outcome tells. `command` is the index of the last command started, if any."""

    duration_s: float
    command: int | None = None
    cancelled: CancelReason | None = None
    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited(_Ended):
    """The last command ended with a status of its own."""

    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed(_Ended):
    """A signal ended the last command; `signal` is its number."""

    signal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut(_Ended):
    """The job was stopped because it ran longer than its timeout."""

    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStarted(_Ended):
    """A command could not be started, or none was because the job was cancelled before."""

    reason: str
    failure: FailureClass = FailureClass.SETUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(_Ended):
    """The job is over, or out of reach, and nobody can know how it ended."""

    reason: str


JobOutcome: TypeAlias = Exited | Killed | TimedOut | NotStarted | Lost


def failure_of(outcome: JobOutcome) -> FailureClass | None:
    """The kind of failure `outcome` is; None for success."""
    if outcome.cancelled is not None:
        return FailureClass.INTERRUPTED
    match outcome:
        case Exited(code=0):
            return None
        case Exited():
            return FailureClass.STAGE_EXIT
        case Killed():
            return FailureClass.SIGNAL
        case TimedOut():
            return FailureClass.TIMEOUT
        case NotStarted():
            return outcome.failure
        case Lost():
            return FailureClass.LOST
        case _:
            assert_never(outcome)
