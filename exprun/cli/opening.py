"""The project that a command works on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.cli.messages import warn
from exprun.runner.announcing import forget_the_dead
from exprun.runner.opening import open_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun.runner.opening import Opened


def open_here(cwd: str, *, warn: Callable[[str], None] = warn) -> Opened:
    """The project around the current directory, with this process's environment."""
    opened = open_project(cwd, env=dict(os.environ), warn=warn)
    forget_the_dead(opened.place)
    return opened
