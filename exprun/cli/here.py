"""Opening the project around the current directory, with this process's environment."""

from __future__ import annotations

import os

from exprun.cli.plain import warn
from exprun.runner.opening import Opened, open_project


def open_here(cwd: str) -> Opened:
    """The project around `cwd`. Raises NotAProject and ConfigError."""
    return open_project(cwd, env=dict(os.environ), warn=warn)
