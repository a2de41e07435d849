"""``exprun run --run-all``, and sweeps that run at once: many experiments under one scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.many import ManyOutput
from exprun.cli.running import run_session
from exprun.errors import ExperimentFailed
from exprun.runner.queue_run import run_queued
from exprun.runner.queueing import open_queue, queue_experiments, tidy_queue

if TYPE_CHECKING:
    import argparse

    from exprun.model.experiment import ExperimentSpec, ReproOptions
    from exprun.runner.opening import Opened
    from exprun.runner.session import Session


def run_all(opened: Opened, namespace: argparse.Namespace, options: ReproOptions) -> int:
    """Run everything that is queued."""
    queue = open_queue(opened)
    if namespace.retry_failed:
        queue.retry([entry.id for entry in queue.entries()])
    tidy_queue(opened)
    return _run(opened, namespace, options, None)


def run_sweep(
    opened: Opened, namespace: argparse.Namespace, options: ReproOptions, spec: ExperimentSpec
) -> int:
    """Run the experiments of a sweep. What is interrupted stays in the queue."""
    ids = [queued.entry.id for queued in queue_experiments(opened, spec)]
    return _run(opened, namespace, options, ids)


def _run(
    opened: Opened,
    namespace: argparse.Namespace,
    options: ReproOptions,
    ids: list[str] | None,
) -> int:
    output = ManyOutput(quiet=namespace.quiet)

    async def work(session: Session) -> int:
        run = await run_queued(
            session, open_queue(opened), ids, max_failures=namespace.max_failures
        )
        output.finish(run.succeeded, run.failed)
        if session.cancelled is not None:
            raise ExperimentFailed("interrupted")
        return exits.FAILED if run.failed else exits.OK

    return run_session(opened, namespace, options, work, show=output.show)
