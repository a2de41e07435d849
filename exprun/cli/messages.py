"""Warnings and errors on standard error, in one form for all commands."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as in `exprun.cli.main`
if TYPE_CHECKING:
    from exprun.errors import ExprunError


def warn(message: str) -> None:
    """Print a warning."""
    sys.stderr.write(f"WARNING: {message}\n")
    sys.stderr.flush()


def not_changed(name: str, *, is_data: bool) -> str:
    """DVC's line for a stage that has nothing to do; `is_data` is a .dvc file of added data."""
    return f"{'' if is_data else 'Stage '}'{name}' didn't change, skipping"


def report(error: ExprunError) -> None:
    """Print an error: what, where, and what to type next."""
    lines = [f"ERROR: {error}"]
    if error.hint:
        lines += [f"  {line}" for line in error.hint.splitlines()]
    sys.stderr.write("\n".join(lines) + "\n")
