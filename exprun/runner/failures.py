"""Why a stage failed, from what was raised or from how its commands ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import ExprunError, MissingDependency
from exprun.executors.logs import is_no_space, signal_name
from exprun.model.files import named_by
from exprun.model.job import Exited, FailureClass, Killed, Lost, NotStarted, TimedOut, failure_of
from exprun.model.values import dataclass
from exprun.store.failures import NoSpace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exprun.model.job import Command, JobOutcome

FAULTS = (ExprunError, OSError)
"""What fails the stage that it happens to; anything else is a bug."""

_LARGEST_OF_ITS_OWN = 128
"""Above, an exit code may stand for a signal: a shell's, whose command ran out of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a stage failed. `error` is what raised it, unless the command itself failed."""

    message: str
    kind: FailureClass
    error: ExprunError | None = None
    outcome: JobOutcome | None = None


def failure_from(error: ExprunError | OSError) -> Failure:
    """The failure of a stage whose handling raised one of `FAULTS`."""
    if isinstance(error, OSError):
        return _system_failure(error)
    match error:
        case NoSpace():
            kind = FailureClass.NO_SPACE
        case MissingDependency():
            kind = FailureClass.INPUT_MISSING
        case _:
            kind = getattr(error, "failure", FailureClass.SETUP)
    return Failure(message=str(error), kind=kind, error=error)


def _system_failure(error: OSError) -> Failure:
    kind = FailureClass.NO_SPACE if is_no_space(error) else FailureClass.SETUP
    reason = (error.strerror or str(error)).lower()
    where = named_by(error)
    return Failure(message=reason if where is None else f"{where}: {reason}", kind=kind)


def is_conclusive(failure: Failure) -> bool:
    """Whether the same commands would fail again on the same inputs, as far as one can tell."""
    return isinstance(failure.outcome, Exited) and failure.outcome.code <= _LARGEST_OF_ITS_OWN


def failure_of_plan(
    failures: Mapping[int, Failure], address: Callable[[int], str]
) -> tuple[FailureClass, str, int | None]:
    """Why a plan failed in which stages did: the kind, in words, and the exit code if any."""
    index = min(failures)
    failure = failures[index]
    code = failure.outcome.code if isinstance(failure.outcome, Exited) else None
    text = f"failed to reproduce '{address(index)}': {failure.message}"
    return failure.kind, text, code


def failure_of_job(outcome: JobOutcome, commands: Sequence[Command]) -> Failure | None:
    """What is wrong with how a job ended, in DVC's words; None if nothing is."""
    kind = failure_of(outcome)
    if kind is None:
        return None
    command = commands[outcome.command].display if outcome.command is not None else ""
    match outcome:
        case Exited(code=code):
            how = f"exited with {code}"
        case Killed(signal=number):
            how = f"exited with -{number} ({signal_name(number)})"
        case TimedOut(timeout_s=limit):
            how = f"stopped after its limit of {limit:g} s"
        case NotStarted(reason=reason) | Lost(reason=reason):
            how = reason
    return Failure(message=f"failed to run: {command}, {how}", kind=kind, outcome=outcome)
