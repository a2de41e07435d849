"""Warnings and errors on standard error, in one form for all commands."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in `exprun.cli.main`
if TYPE_CHECKING:
    from exprun.errors import ExprunError


def warn(message: str) -> None:
    """Print a warning."""
    _tell(f"WARNING: {message}\n")


def report(error: ExprunError) -> None:
    """Print an error: what, where, and what to type next."""
    lines = [f"ERROR: {error}"]
    if error.hint:
        lines += [f"  {line}" for line in error.hint.splitlines()]
    _tell("\n".join(lines) + "\n")


def _tell(text: str) -> None:
    """Write what is no reason to do anything else, so that nobody can hear it is none either."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        # Python would try once more on exit.
        sys.stderr = open(os.devnull, "w")
