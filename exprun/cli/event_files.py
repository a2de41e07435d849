"""The files for events of `--log-json` and `--events`: judged before anything is done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.errors import UsageError

if TYPE_CHECKING:
    import argparse

STANDARD_OUTPUT = "-"


def settle_event_files(namespace: argparse.Namespace, cwd: str) -> None:
    """Take the names of these files as from `cwd`. Raises UsageError for one that none can be at.

    They are not opened yet: a pipe is opened once. If events go to standard output, nothing else is
    to be said there.
    """
    namespace.quiet = namespace.quiet or namespace.events == STANDARD_OUTPUT
    for option in ("log_json", "events"):
        name = getattr(namespace, option)
        if name is None or (option == "events" and name == STANDARD_OUTPUT):
            continue
        path = os.path.join(cwd, name)
        if problem := _problem(path):
            raise cannot_write(name, problem)
        setattr(namespace, option, path)


def cannot_write(name: str, problem: str) -> UsageError:
    """The refusal to write events to a file."""
    return UsageError(f"events cannot be written to '{name}': {problem}")


def _problem(path: str) -> str | None:
    directory = os.path.dirname(path)
    if os.path.isdir(path):
        return "it is a directory"
    if not os.path.isdir(directory):
        return f"there is no directory '{directory}'"
    if not os.access(path if os.path.exists(path) else directory, os.W_OK):
        return "permission denied"
    return None
