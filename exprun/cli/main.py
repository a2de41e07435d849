"""From the argument vector to a command, and from its error to a message and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.messages import report
from exprun.errors import ExprunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": "run an experiment and keep it as a commit",
    "repro": "bring the pipeline up to date, without an experiment",
    "queue": "see and change the queue of experiments",
    "status": "show what has changed since the stages last ran",
    "stages": "list every stage as resolved, without running anything",
    "demo": "make a small example project and run experiments in it",
}

USAGE = "usage: exprun [--version] [--help] [--cd DIR] COMMAND ..."


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code. Only bugs raise."""
    verbose = any(argument in {"-v", "-vv", "--verbose"} for argument in arguments)
    try:
        code = _dispatch(list(arguments))
        sys.stdout.flush()
    except ExprunError as error:
        if verbose:
            import traceback

            traceback.print_exc()
        report(error)
        return exits.code_of(error)
    except BrokenPipeError:
        # The reader went away. Python would complain once more when it flushes on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except OSError as error:
        if verbose:
            raise
        report(ExprunError(f"{error.filename or 'system'}: {error.strerror or error}"))
        return exits.BROKEN
    return code


def _dispatch(arguments: list[str]) -> int:
    arguments, directory = _take_directory(arguments)
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_help())
        return exits.OK if arguments else exits.REFUSED
    name, *rest = arguments
    if name not in COMMANDS:
        raise UsageError(f"there is no command '{name}'", hint=_suggestion(name))
    command = import_module(f"exprun.cli.commands.{name.replace('-', '_')}")
    code: int = command.main(rest, cwd=directory)
    return code


def _take_directory(arguments: list[str]) -> tuple[list[str], str]:
    directory = os.getcwd()
    if arguments[:1] == ["--cd"]:
        if len(arguments) < 2:
            raise UsageError("--cd needs a directory")
        directory = os.path.join(directory, arguments[1])
        arguments = arguments[2:]
        if not os.path.isdir(directory):
            raise UsageError(f"there is no directory '{directory}'")
    return arguments, directory


def _help() -> str:
    width = max(map(len, COMMANDS))
    rows = "".join(f"  {name:<{width}}  {text}\n" for name, text in COMMANDS.items())
    return (
        f"{USAGE}\n\nRun DVC pipelines and experiments concurrently.\n\n"
        f"commands:\n{rows}\n`exprun COMMAND --help` shows the options of one.\n"
    )


def _suggestion(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"did you mean `exprun {close[0]}`?" if close else "see `exprun --help`"
