"""``exprun run --queue``: queue what was asked for, saying so experiment by experiment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.runner.queueing import queue_experiments

if TYPE_CHECKING:
    from exprun.model.experiment import ExperimentSpec
    from exprun.runner.opening import Opened


def queue(opened: Opened, spec: ExperimentSpec, *, quiet: bool) -> int:
    """Queue the experiment or the sweep, in DVC's words."""
    for queued in queue_experiments(opened, spec):
        if not quiet:
            if queued.overrides:
                sys.stdout.write(f"Queueing with overrides '{dict(queued.overrides)}'.\n")
            name = queued.entry.name
            sys.stdout.write(f"Queued experiment '{name}' for future execution.\n")
            # What is said is what is queued, wherever the command may be killed.
            sys.stdout.flush()
    return exits.OK
