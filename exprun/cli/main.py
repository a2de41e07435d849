"""From the argument vector to a command, and from its error to a message and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper

from exprun.cli import exits
from exprun.cli.messages import report
from exprun.errors import ExprunError, UsageError

# Type checkers know the name. `typing` would be half of what `--help` costs.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": "run an experiment and keep it as a commit",
    "repro": "bring the pipeline up to date, without an experiment",
    "queue": "see and change the queue of experiments",
    "logs": "show what the stages of experiments wrote",
    "retry": "run experiments again that have failed or were stopped",
    "status": "show what has changed since the stages last ran",
    "show": "show the workspace and experiments with parameters and metrics",
    "list": "list stored experiments",
    "diff": "show how parameters and metrics of two experiments differ",
    "apply": "bring an experiment into the workspace",
    "branch": "make a branch of an experiment",
    "rename": "give an experiment another name",
    "remove": "remove stored experiments",
    "stages": "list every stage as resolved, without running anything",
    "demo": "make a small example project and run experiments in it",
}

# What `dvc exp` can do and this cannot.
_OF_DVC = {
    "clean": "`dvc exp clean`",
    "pull": "`dvc pull` or `dvc exp pull`",
    "push": "`dvc push` or `dvc exp push`",
    "save": "`dvc exp save`",
}

# These tell what they do while they do it, and heed -q themselves.
_TALKATIVE = frozenset({"run", "repro", "retry", "status", "demo"})

USAGE = "usage: exprun [--version] [--help] [--cd DIR] COMMAND ..."


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code."""
    verbose = any(argument in {"-v", "-vv", "--verbose"} for argument in arguments)
    _make_streams_safe()
    try:
        code = _dispatch(list(arguments))
        sys.stdout.flush()
    except Exception as error:
        return _end_with(_cause(error), verbose=verbose)
    return code


def _make_streams_safe() -> None:
    """Let no stream be missing, and no text be unprintable, whatever we were started with."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # A file opened later would take the number, and be written to by accident.
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(os.devnull)
    sys.stdout = sys.stdout or open(os.devnull, "w")
    sys.stderr = sys.stderr or open(os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _cause(error: Exception) -> Exception:
    """`error`, or what it is about if it is a group of one, as task groups make them."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _is_of_memory(error: Exception) -> bool:
    """Whether `error` comes of a lack of memory, as that to load a library also does."""
    from exprun.room import is_there_memory

    if isinstance(error, ExceptionGroup) and error.subgroup(MemoryError):
        return True
    return isinstance(error, MemoryError) or not is_there_memory()


def _end_with(error: Exception, *, verbose: bool) -> int:
    """Say what went wrong, in one message, and return the exit code."""
    if isinstance(error, BrokenPipeError):
        # The reader went away. Python would complain once more when it flushes on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    is_bug = not isinstance(error, ExprunError | OSError)
    if is_bug and _is_of_memory(error):
        # Whoever waits to be told of something, a thread at its end too, may do so in vain.
        report(ExprunError("out of memory", hint="give it more: ulimit -v"))
        os._exit(exits.BROKEN)
    if is_bug or verbose:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, ExprunError):
        report(error)
        return exits.code_of(error)
    if isinstance(error, OSError):
        report(ExprunError(f"{error.filename or 'system'}: {error.strerror or error}"))
    else:
        report(
            ExprunError(
                f"internal error: {type(error).__name__}: {error}",
                hint="this is a bug in exprun: please report it with the lines above",
            )
        )
    return exits.BROKEN


def _dispatch(arguments: list[str]) -> int:
    arguments, directory = _take_directory(arguments)
    if arguments[:1] == ["help"] and arguments[1:]:
        arguments = [*arguments[1:], "--help"]
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_help())
        return exits.OK if arguments else exits.REFUSED
    name, *rest = arguments
    if name not in COMMANDS:
        if name.startswith("-"):
            raise UsageError(
                f"there is no option '{name}' before the command",
                hint="options of a command come after it; see `exprun --help`",
            )
        raise UsageError(f"there is no command '{name}'", hint=_suggestion(name, rest))
    answer = _recall(arguments, directory) if name in {"status", "repro"} else None
    if answer is not None:
        sys.stdout.write(answer)
        return exits.OK
    command = import_module(f"exprun.cli.commands.{name.replace('-', '_')}")
    if name in _TALKATIVE or not {"-q", "--quiet"}.intersection(rest):
        code: int = command.main(rest, cwd=directory)
        return code
    from contextlib import redirect_stdout

    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        return int(command.main(rest, cwd=directory))


def _recall(arguments: list[str], directory: str) -> str | None:
    """What was answered to the same command line, if nothing has changed since."""
    from exprun.project.answers import ask

    question = ask(arguments, cwd=directory, env=os.environ)
    return question.recall() if question else None


def _take_directory(arguments: list[str]) -> tuple[list[str], str]:
    if arguments[:1] != ["--cd"]:
        return arguments, _here()
    if len(arguments) < 2:
        raise UsageError("--cd needs a directory")
    directory = arguments[1] if os.path.isabs(arguments[1]) else f"{_here()}/{arguments[1]}"
    if not os.path.isdir(directory):
        raise UsageError(f"there is no directory '{directory}'")
    return arguments[2:], directory


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise UsageError(
            "the current directory has been removed",
            hint="change to one that exists, or: exprun --cd DIR COMMAND",
        ) from None


def _help() -> str:
    width = max(map(len, COMMANDS))
    rows = "".join(f"  {name:<{width}}  {text}\n" for name, text in COMMANDS.items())
    return (
        f"{USAGE}\n\nRun DVC pipelines and experiments concurrently.\n\n"
        f"commands:\n{rows}\n"
        "--cd DIR, before the command, runs it as if it was started there.\n"
        "`exprun COMMAND --help` shows the options of one.\n"
    )


def _suggestion(name: str, rest: Sequence[str]) -> str:
    if name in {"exp", "experiments"} and rest:
        name = rest[0]
    if name in _OF_DVC:
        return f"for that there is {_OF_DVC[name]}"
    import difflib

    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"did you mean `exprun {close[0]}`?" if close else "see `exprun --help`"
