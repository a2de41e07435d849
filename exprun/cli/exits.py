"""Exit codes, and which of them an error ends with (the reliability contract's G14)."""

from __future__ import annotations

from exprun import errors
from exprun.errors import ExprunError
from exprun.model.files import NO_SPACE, OUT_OF_MEANS

OK = 0
FAILED = 1
REFUSED = 2
BROKEN = 3

_CODES: tuple[tuple[type[ExprunError], int], ...] = (
    (errors.ExperimentFailed, FAILED),
    (errors.UsageError, REFUSED),
    (errors.ProjectError, REFUSED),
    (errors.IndexConflict, REFUSED),
    (errors.RefConflict, REFUSED),
    (errors.UnknownRepository, REFUSED),
    (ExprunError, BROKEN),
)


def code_of(error: ExprunError) -> int:
    """The exit code of a command that ends with `error`."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in OUT_OF_MEANS | NO_SPACE:
        return BROKEN
    return next(code for kind, code in _CODES if isinstance(error, kind))
