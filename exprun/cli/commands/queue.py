"""``exprun queue``: see what is queued, change it, and read its logs."""

from __future__ import annotations

import gc
import json
import os
import sys
from datetime import UTC, datetime
from functools import cache
from json.encoder import encode_basestring as _quote
from typing import TYPE_CHECKING, Any

from exprun.cli import exits
from exprun.cli.messages import warn
from exprun.cli.parsing import JOBS_HELP, Parser, PlainParser, positive
from exprun.cli.tidying import let_go_of_removed
from exprun.errors import UsageError
from exprun.project.root import find_project
from exprun.queue.ledger import to_attempt
from exprun.queue.queue import Queue
from exprun.queue.records import State, reason_of
from exprun.runner.announcing import forget_the_dead

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from exprun.queue.records import Entry

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
_DESCRIPTION = "See and change the queue of experiments, and read the logs of what has run."
_COLUMNS = ("id", "name", "created", "status")


class _Command(PlainParser):
    """The parser of one of the queue's commands, as argparse makes it."""

    def __init__(self, *, prog: str, description: str) -> None:
        super().__init__(prog.removeprefix("exprun "), description)


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Carry out one of the queue's commands."""
    namespace = _parser(arguments[0] if arguments else "").parse_args(arguments)
    run: Callable[[argparse.Namespace, str], int] = namespace.run
    return run(namespace, cwd)


def _parser(wanted: str) -> Parser:
    """For all commands, or quicker for just the one that is `wanted`."""
    parser = Parser("queue", _DESCRIPTION)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Command)
    for name in (wanted,) if wanted in _COMMANDS else _COMMANDS:
        help, run, add_arguments = _COMMANDS[name]
        description = f"{help[0].upper()}{help[1:]}."
        command = commands.add_parser(name, help=help, description=description)
        command.set_defaults(run=run, change=name)
        add_arguments(command)
    return parser


def _add_json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="as a list of objects")


def _add_jobs(parser: Parser) -> None:
    parser.add_argument("-j", "--jobs", type=positive, default=1, metavar="N", help=JOBS_HELP)


def _add_kill(parser: Parser) -> None:
    parser.add_argument("--kill", action="store_true", help="stop those that run, too")


def _add_one_name(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="its name or id")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until it has ended")


def _add_names(parser: Parser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="names or ids of experiments")


def _add_names_or_states(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="names or ids of experiments")
    parser.add_argument("--all", action="store_true", help="all that do not run")
    parser.add_argument("--queued", action="store_true", help="those that are still to be run")
    parser.add_argument("--failed", action="store_true", help="those that have failed")
    parser.add_argument("--success", action="store_true", help="those that have succeeded")


def _open(cwd: str) -> Queue:
    place = find_project(cwd)
    forget_the_dead(place)
    return Queue(os.path.join(place.state_dir, "queue"), warn=warn)


def _status(namespace: argparse.Namespace, cwd: str) -> int:
    queue = _open(cwd)
    # Thousands of records are made here and all are needed: it is no use to look for garbage.
    gc.disable()
    try:
        sys.stdout.writelines(_as_text(queue) if namespace.json else _table(queue.entries()))
    finally:
        gc.enable()
    return exits.OK


def _as_text(queue: Queue) -> Iterator[str]:
    yield f"[{', '.join(_row_as_text(row, state, queue) for row, state in queue.rows())}]\n"


def _row_as_text(row: Mapping[str, Any], state: State, queue: Queue) -> str:
    if row.get("last"):
        return _encode(_as_json(row, state, queue))
    frame = _frame(row["baseline"], int(row["created"]), state, len(row.get("attempts", ())), queue)
    overrides = ", ".join(map(_quote, row["spec"].get("set_params", ())))
    return frame % (_quote(row["id"]), _quote(row["name"]), overrides)


@cache
def _frame(baseline: str, created: int, state: State, attempts: int, queue: Queue) -> str:
    """What thousands that are yet to run have in common, with gaps for what differs."""
    gap = "%s"
    row = {
        "id": gap, "name": gap, "baseline": baseline, "created": created,
        "held": state is State.HELD, "attempts": range(attempts), "spec": {"set_params": [gap]},
    }  # fmt: skip
    return _encode(_as_json(row, state, queue)).replace(f'"{gap}"', gap)


def _as_json(row: Mapping[str, Any], state: State, queue: Queue) -> dict[str, object]:
    last = to_attempt(row["last"]) if row.get("last") else None
    return {
        "id": row["id"],
        "name": row["name"],
        "baseline": row["baseline"],
        "created": _moment(int(row["created"])),
        "status": state.value,
        "reason": reason_of(state, last) if last else None,
        "message": last.message if last else None,
        "exit_code": last.exit_code if last else None,
        "rev": last.rev if last else None,
        "kept": last.kept if last else None,
        "held": row.get("held", False),
        "overrides": row["spec"].get("set_params", []),
        "attempts": len(row.get("attempts", ())),
        "log_dir": queue.log_dir(last) if last else None,
    }


@cache
def _moment(created: int) -> str:
    """A time in ISO 8601. The experiments of a sweep have it in common."""
    return datetime.fromtimestamp(created, UTC).isoformat()


def _table(entries: Sequence[Entry]) -> Iterator[str]:
    if not entries:
        yield "No experiments in the queue.\n"
        return
    today = datetime.now().date()
    rows = [_COLUMNS] + [
        (entry.id, entry.name, _when(int(entry.created), today), entry.state.value)
        for entry in entries
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip() + "\n"


@cache
def _when(created: int, today: object) -> str:
    """The time for what is of today, as DVC shows it, else the date."""
    moment = datetime.fromtimestamp(created)
    return moment.strftime("%I:%M %p" if moment.date() == today else "%b %d, %Y")


def _remove(namespace: argparse.Namespace, cwd: str) -> int:
    queue = _open(cwd)
    wanted = _wanted_states(namespace)
    if bool(namespace.names) == bool(wanted):
        raise UsageError("give names, or one of --all, --queued, --failed, --success")
    if namespace.names:
        found = queue.find(namespace.names)
    else:
        found = [entry for entry in queue.entries() if entry.state in wanted]
    if not found:
        sys.stdout.write("There is nothing to remove.\n")
        return exits.OK
    queue.remove([entry.id for entry in found])
    names = ", ".join(entry.name for entry in found)
    sys.stdout.write(f"Removed experiments from the queue: {names}\n")
    let_go_of_removed(cwd)
    return exits.OK


def _wanted_states(namespace: argparse.Namespace) -> set[State]:
    states: set[State] = set()
    if namespace.queued or namespace.all:
        states |= {State.QUEUED, State.HELD, State.INTERRUPTED}
    if namespace.failed or namespace.all:
        states.add(State.FAILED)
    if namespace.success or namespace.all:
        states.add(State.SUCCESS)
    return states


def _change(namespace: argparse.Namespace, cwd: str) -> int:
    queue = _open(cwd)
    found = [entry for entry in queue.find(namespace.names) if entry.state is not State.SUCCESS]
    for name in namespace.names:
        if not any(name in (entry.name, entry.id) for entry in found):
            raise UsageError(
                f"experiment '{name}' has succeeded: it does not wait to be run",
                hint="see `exprun queue status`",
            )
    change: Callable[[Sequence[str]], None] = getattr(queue, namespace.change)
    change([entry.id for entry in found])
    return exits.OK


def _start(namespace: argparse.Namespace, cwd: str) -> int:
    from exprun.cli.background import start_in_background
    from exprun.cli.opening import open_here

    return start_in_background(open_here(cwd), ["-j", str(namespace.jobs)], cwd=cwd)


def _stop(namespace: argparse.Namespace, cwd: str) -> int:
    queue = _open(cwd)
    is_heard = queue.drain()
    running = [entry for entry in queue.unfinished() if entry.state is State.RUNNING]
    if namespace.kill and running:
        queue.wish_stop([entry.id for entry in running])
        sys.stdout.write(f"Stopping: {', '.join(entry.name for entry in running)}\n")
    elif is_heard:
        sys.stdout.write("No more experiments are started; those that run are finished.\n")
    else:
        sys.stdout.write("Nothing runs the queue.\n")
    return exits.OK


def _kill(namespace: argparse.Namespace, cwd: str) -> int:
    queue = _open(cwd)
    found = queue.find(namespace.names)
    running = [entry for entry in found if entry.state is State.RUNNING]
    idle = [entry.name for entry in found if entry.state is not State.RUNNING]
    if idle:
        raise UsageError(f"not running: {', '.join(idle)}", hint="see `exprun queue status`")
    queue.wish_stop([entry.id for entry in running])
    sys.stdout.write(f"Stopping: {', '.join(entry.name for entry in running)}\n")
    return exits.OK


def _logs(namespace: argparse.Namespace, cwd: str) -> int:
    from exprun.cli.commands.logs import show_logs
    from exprun.cli.logs import Logs

    queue = _open(cwd)
    entry = queue.find([namespace.name])[-1]
    if entry.last is None:
        raise UsageError(f"experiment '{entry.name}' has not run yet")
    show_logs(queue, [entry], Logs(sys.stdout.buffer), follow=namespace.follow)
    return exits.OK


_COMMANDS: dict[
    str, tuple[str, Callable[[argparse.Namespace, str], int], Callable[[Parser], None]]
] = {
    "status": ("list the experiments in the queue", _status, _add_json),
    "remove": ("take experiments out of the queue", _remove, _add_names_or_states),
    "hold": ("keep experiments from being started", _change, _add_names),
    "release": ("let held experiments be started", _change, _add_names),
    "first": ("put experiments before all others", _change, _add_names),
    "start": ("run what is queued in the background", _start, _add_jobs),
    "stop": ("start no more experiments; those that run are finished", _stop, _add_kill),
    "kill": ("stop running experiments; they are queued again", _kill, _add_names),
    "logs": ("show what the stages of an experiment wrote", _logs, _add_one_name),
}
