"""``exprun run --run-all``, sweeps and retries: many experiments under one scheduler."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.many import ManyOutput
from exprun.cli.running import resources, run_session
from exprun.cores import on_one
from exprun.errors import ExperimentFailed, UsageError
from exprun.executors.console import Console
from exprun.model.experiment import ReproOptions
from exprun.queue.records import State
from exprun.runner.queue_run import run_queued
from exprun.runner.queues import open_queue, tidy_queue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exprun.cli.live import LiveOutput
    from exprun.model.experiment import ExperimentSpec
    from exprun.queue.queue import Queue
    from exprun.runner.opening import Opened
    from exprun.runner.session import Session

_READY = (State.QUEUED, State.INTERRUPTED)


def run_all(opened: Opened, namespace: argparse.Namespace, options: ReproOptions) -> int:
    """Run everything that is queued."""
    queue = open_queue(opened)
    if namespace.retry_failed:
        queue.retry([entry.id for entry in queue.unfinished()])
    tidy_queue(opened, queue)
    return _run(opened, namespace, options, queue, None)


def run_sweep(
    opened: Opened, namespace: argparse.Namespace, options: ReproOptions, spec: ExperimentSpec
) -> int:
    """Run the experiments of a sweep. What is interrupted stays in the queue."""
    from exprun.runner.queueing import queue_experiments

    limits = resources(opened, namespace).limits(namespace.jobs, opened.env)
    ids = [queued.entry.id for queued in queue_experiments(opened, spec, limits=limits)]
    return _run(opened, namespace, options, open_queue(opened), ids)


def run_again(opened: Opened, namespace: argparse.Namespace, names: Sequence[str]) -> int:
    """Run the experiments of these names that have failed or were interrupted."""
    queue = open_queue(opened)
    found = queue.find(names)
    # A name may also be that of an experiment that has succeeded, on another baseline.
    ended = [entry for entry in found if entry.reason is not None]
    for name in names:
        if not any(name in (entry.name, entry.id) for entry in ended):
            [*_, entry] = (entry for entry in found if name in (entry.name, entry.id))
            raise UsageError(
                f"experiment '{name}' has not failed: it is {entry.state.value}",
                hint="to run what is queued: exprun run --run-all",
            )
    ids = [entry.id for entry in ended]
    queue.retry(ids)
    queue.release(ids)
    return _run(opened, namespace, ReproOptions(), queue, ids)


def _run(
    opened: Opened,
    namespace: argparse.Namespace,
    options: ReproOptions,
    queue: Queue,
    ids: list[str] | None,
) -> int:
    with _output(namespace, queue, ids) as output, open(os.devnull, "rb") as nothing:
        # Whatever stands on standard input is not meant for one of many.
        console = Console(stdin=nothing.fileno())

        async def work(session: Session) -> int:
            endings = await run_queued(
                session,
                queue,
                ids,
                max_failures=namespace.max_failures,
                fail_fast=namespace.fail_fast,
            )
            output.finish(endings.succeeded, endings.failed)
            if session.cancelled is not None:
                raise ExperimentFailed("interrupted")
            if not (endings.succeeded or endings.failed or namespace.quiet):
                sys.stdout.write(_why_nothing(queue))
            is_done = not endings.failed and (ids is None or _are_done(queue, ids))
            return exits.OK if is_done else exits.FAILED

        # Many small things are done then, more than there is data to be moved.
        with on_one():
            return run_session(
                opened,
                namespace,
                options,
                work,
                show=output.show,
                console=console if output.lends_stdout else None,
                beside=output.keep_fresh,
                kept="what has not finished stays in the queue: exprun run --run-all goes on",
            )


def _are_done(queue: Queue, ids: Sequence[str]) -> bool:
    """Whether experiments have succeeded, or are in the hands of another process."""
    states = Counter(entry.state for id in ids if (entry := queue.entry(id)))
    return states[State.SUCCESS] + states[State.RUNNING] == len(ids)


def _why_nothing(queue: Queue) -> str:
    """What there is to do about a queue of which nothing ran."""
    states = Counter(entry.state for entry in queue.unfinished())
    if states[State.RUNNING]:
        return "Another exprun runs what is queued.\n"
    if any(states[state] for state in _READY):
        return "The queue was told to stop.\n"
    lines = ["No experiments are queued."]
    if count := states[State.HELD]:
        lines.append(f"{count} held, to let them run: exprun queue release NAME")
    if count := states[State.FAILED]:
        lines.append(f"{count} failed, to run them again: exprun run --run-all --retry-failed")
    return "\n".join(lines) + "\n"


def _output(
    namespace: argparse.Namespace, queue: Queue, ids: list[str] | None
) -> ManyOutput | LiveOutput:
    """A live view on a terminal, unless something else writes there too; else plain lines."""
    talks = namespace.quiet or namespace.verbose
    if talks or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return ManyOutput(quiet=namespace.quiet, at_once=namespace.jobs > 1)
    from exprun.cli.live import LiveOutput

    if ids is not None:
        return LiveOutput(total=len(ids))
    waiting = [entry for entry in queue.unfinished() if entry.state in _READY]
    return LiveOutput(total=len(waiting))
