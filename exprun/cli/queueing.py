"""``exprun run --queue``: queue what was asked for, saying so experiment by experiment."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from exprun import events
from exprun.cli import exits
from exprun.cli.displays import Displays, add_traces
from exprun.cli.unread import Unread
from exprun.runner.queueing import queue_experiments

if TYPE_CHECKING:
    import argparse

    from exprun.model.experiment import ExperimentSpec
    from exprun.runner.opening import Opened


def queue(opened: Opened, spec: ExperimentSpec, namespace: argparse.Namespace) -> int:
    """Queue the experiment or the sweep, in DVC's words."""
    with ExitStack() as stack:
        displays = Displays()
        add_traces(displays, namespace, stack, Unread())
        for queued in queue_experiments(opened, spec):
            name = queued.entry.name
            if not namespace.quiet:
                if queued.overrides:
                    sys.stdout.write(f"Queueing with overrides '{dict(queued.overrides)}'.\n")
                sys.stdout.write(f"Queued experiment '{name}' for future execution.\n")
                # What is said is what is queued, wherever the command may be killed.
                sys.stdout.flush()
            displays.emit(events.ExperimentQueued(experiment=name))
    if displays.failure is not None:
        raise displays.failure
    return exits.OK
