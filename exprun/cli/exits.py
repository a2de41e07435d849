"""Exit codes, and which of them an error ends with (the reliability contract's G14)."""

from __future__ import annotations

from exprun import errors

OK = 0
FAILED = 1
REFUSED = 2
BROKEN = 3

_CODES: tuple[tuple[type[errors.ExprunError], int], ...] = (
    (errors.ExperimentFailed, FAILED),
    (errors.UsageError, REFUSED),
    (errors.ProjectError, REFUSED),
    (errors.RefConflict, REFUSED),
    (errors.ExprunError, BROKEN),
)


def code_of(error: errors.ExprunError) -> int:
    """The exit code of a command that ends with `error`."""
    return next(code for kind, code in _CODES if isinstance(error, kind))
