"""``exprun logs``: what the stages of queued experiments wrote, whatever became of them."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.logs import Logs
from exprun.cli.messages import warn
from exprun.cli.parsing import PlainParser
from exprun.errors import UsageError
from exprun.executors.logs import logs_named
from exprun.project.root import find_project
from exprun.queue.queue import Queue
from exprun.queue.records import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.queue.records import Entry

_PERIOD_S = 0.1


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Show logs: of the experiments named, else of those that run, else of the latest."""
    parser = PlainParser("logs", "Show what the stages of experiments wrote.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="names or ids of experiments (default: those that run, else the latest of the queue)",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until they have ended")
    parser.add_argument("--stage", metavar="STAGE", help="only what this stage wrote")
    namespace = parser.parse_args(arguments)
    state_dir = find_project(cwd).state_dir
    queue = Queue(os.path.join(state_dir, "queue"), warn=warn)
    logs = Logs(sys.stdout.buffer, stage=namespace.stage)
    known = {name for entry in queue.entries() for name in (entry.name, entry.id)}
    finished: dict[str, str] = {}
    for name in namespace.names:
        if name not in known and (directory := logs_named(f"{state_dir}/logs", name)):
            finished[name] = directory
    queued = [name for name in namespace.names if name not in finished]
    for name, directory in finished.items():
        logs.show(directory, name if len(namespace.names) > 1 else "")
    chosen = _named(queue, queued) if namespace.names else _latest(queue)
    if not (chosen or finished):
        sys.stderr.write("No experiment of the queue has run yet.\n")
    show_logs(queue, chosen, logs, follow=namespace.follow)
    if namespace.stage and logs.is_empty:
        raise UsageError(
            f"stage '{namespace.stage}' has written nothing: it did not run",
            hint="the same without --stage shows the logs that there are",
        )
    return exits.OK


def show_logs(queue: Queue, chosen: Sequence[Entry], logs: Logs, *, follow: bool) -> None:
    """Show the logs of experiments; to `follow` is to go on until none of them runs."""
    while True:
        # Asked first: what is written until it ends is shown after.
        now = [entry for each in chosen if (entry := queue.entry(each.id)) and entry.last]
        goes_on = follow and any(entry.state is State.RUNNING for entry in now)
        for entry in now:
            assert entry.last is not None
            title = entry.name if len(chosen) > 1 else ""
            logs.show(queue.log_dir(entry.last), title, is_final=not goes_on)
        if not goes_on:
            break
        time.sleep(_PERIOD_S)
    for entry in now:
        if entry.last and entry.last.message:
            sys.stderr.write(f"Experiment '{entry.name}': {entry.last.message}\n")


def _named(queue: Queue, names: Sequence[str]) -> list[Entry]:
    # Of experiments of one name the latest counts.
    found = [queue.find([name])[-1] for name in names]
    for entry in found:
        if entry.last is None:
            raise UsageError(f"experiment '{entry.name}' has not run yet")
    return found


def _latest(queue: Queue) -> list[Entry]:
    entries = [entry for entry in queue.entries() if entry.last]
    running = [entry for entry in entries if entry.state is State.RUNNING]
    if running or not entries:
        return running
    return [max(entries, key=lambda entry: (entry.last and entry.last.started) or 0.0)]
