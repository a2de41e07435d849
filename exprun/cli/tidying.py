"""Upkeep that follows a change of the queue."""

from __future__ import annotations

from exprun.cli.messages import warn


def let_go_of_removed(cwd: str) -> None:
    """Let go of what removed experiments have left. That they are out of the queue stands already,
    so what keeps this from being done is told, and no error.
    """
    from exprun.cli.opening import open_here
    from exprun.runner.failures import FAULTS
    from exprun.runner.queues import tidy_queue

    try:
        tidy_queue(open_here(cwd))
    except FAULTS as fault:
        warn(f"what the experiments have left is removed later: {fault}")
