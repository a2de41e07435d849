"""Warnings and errors on standard error, in one form for all commands."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in `exprun.cli.main`
if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun.errors import ExprunError


def warn(message: str) -> None:
    """Print a warning."""
    _tell(f"WARNING: {message}\n")


class Warnings:
    """Hands warnings on to `warn`, and knows whether there were `any`."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self.any = False

    def __call__(self, message: str) -> None:
        self.any = True
        self._warn(message)


def not_changed(name: str, *, is_data: bool) -> str:
    """DVC's line for a stage that has nothing to do; `is_data` is a .dvc file of added data."""
    return f"{'' if is_data else 'Stage '}'{name}' didn't change, skipping"


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
