"""Parsers and the options that several commands share."""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING, NoReturn

from exprun.errors import UsageError
from exprun.model.experiment import OnError, ReproOptions, Selection

if TYPE_CHECKING:
    from exprun.model.paths import Location
    from exprun.runner.resources import Resources


_MOST_DIGITS = 1000  # No number that a file holds as such has more.
JOBS_HELP = "stages to run at a time (default: 1)"


class Parser(argparse.ArgumentParser):
    """An argument parser whose refusals are `UsageError`."""

    def __init__(self, command: str, description: str) -> None:
        # With no width given, asking for that of the terminal is the first thing a formatter does,
        # and one is made for every option, to check it: that imports three compression libraries.
        self._width = 80
        super().__init__(
            prog=f"exprun {command}",
            description=description,
            allow_abbrev=False,
            formatter_class=lambda prog: argparse.HelpFormatter(prog, width=self._width),
        )

    def format_help(self) -> str:
        """The help, as wide as the terminal."""
        import shutil

        self._width = shutil.get_terminal_size().columns - 2
        return super().format_help()

    def print_help(self, file: object = None) -> None:
        """Print the help. That it cannot be written is an error, which argparse passes over."""
        sys.stdout.write(self.format_help())
        sys.stdout.flush()

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see `{self.prog} --help`")


class PlainParser(Parser):
    """The parser of a command that has nothing to say but its answer.

    What its -q and -v mean is carried out by `exprun.cli.main`.
    """

    def __init__(self, command: str, description: str) -> None:
        super().__init__(command, description)
        talk = self.add_mutually_exclusive_group()
        talk.add_argument("-q", "--quiet", action="store_true", help="print errors only")
        talk.add_argument(
            "-v", "--verbose", action="count", default=0, help="say more of what goes wrong"
        )


def add_talk_options(parser: argparse.ArgumentParser) -> None:
    """How much is said, and where."""
    talk = parser.add_mutually_exclusive_group()
    talk.add_argument("-q", "--quiet", action="store_true", help="print warnings and errors only")
    talk.add_argument(
        "-v", "--verbose", action="count", default=0, help="say more on standard error (-vv: all)"
    )
    parser.add_argument(
        "--log-json", metavar="FILE", help="append every event to FILE as one JSON object a line"
    )
    parser.add_argument(
        "--events",
        metavar="FILE",
        help="write every event to FILE as it happens, as NDJSON; -: to standard output, alone",
    )


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """How many stages at once, with what, and how patiently they are stopped."""
    parser.add_argument("-j", "--jobs", type=positive, default=1, metavar="N", help=JOBS_HELP)
    parser.add_argument(
        "--resources",
        type=_resources,
        metavar="NAME=N,...",
        help="what running stages share: gpus=2 (or ids: gpus=0:3), cpus=8, mem=16G",
    )
    parser.add_argument(
        "--grace",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long interrupted stages may take to end (default: 10)",
    )


def add_failure_options(parser: argparse.ArgumentParser) -> None:
    """What the failure of one experiment does to the others."""
    parser.add_argument(
        "--fail-fast", action="store_true", help="stop all experiments when one fails"
    )
    parser.add_argument(
        "--max-failures", type=positive, metavar="N", help="start no more after N failures"
    )


def positive(text: str) -> int:
    """A whole number of at least 1, as an argument type."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not '{text}'")
    return int(text)


def digits(text: str) -> int:
    """How many digits of a number to show, as an argument type."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, not '{text}'")
    if int(text) > _MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"must be at most {_MOST_DIGITS}, not {text}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not '{text}'")
    return seconds


def _resources(text: str) -> Resources:
    from exprun.runner.resources import parse_resources

    return parse_resources(text)


def add_repro_options(parser: argparse.ArgumentParser) -> None:
    """The options `run` and `repro` share, as in DVC."""
    add = parser.add_argument
    add("targets", nargs="*", metavar="target", help="stages, dvc.yaml or .dvc files")
    add("-f", "--force", action="store_true", help="run stages even if nothing changed")
    add("-i", "--interactive", action="store_true", help="ask before each stage")
    add("-s", "--single-item", action="store_true", help="only the targets, not what they need")
    add("-p", "--pipeline", action="store_true", help="the whole pipelines of the targets")
    add("-P", "--all-pipelines", action="store_true", help="every pipeline of the project")
    add("-R", "--recursive", action="store_true", help="every stage below the target directories")
    add("--downstream", action="store_true", help="the targets and all that depends on them")
    add(
        "--force-downstream",
        action="store_true",
        help="run everything downstream of a stage that ran",
    )
    add("--pull", action="store_true", help="fetch missing data from the DVC remotes")
    add("--allow-missing", action="store_true", help="missing data alone is not a change")
    add("--dry", action="store_true", help="only say what would run, and why")
    add(
        "-k",
        "--keep-going",
        dest="on_error",
        action="store_const",
        const=OnError.KEEP_GOING,
        default=OnError.FAIL,
        help="run all stages that do not depend on a failed one",
    )
    add(
        "--ignore-errors",
        dest="on_error",
        action="store_const",
        const=OnError.IGNORE,
        help="treat failures as warnings",
    )
    add("--glob", action="store_true", help="targets may hold * and ?")
    add("--no-commit", action="store_true", help="do not put outputs into the cache")
    add("--no-run-cache", action="store_true", help="run even what was run before")


def add_baseline_options(
    parser: argparse.ArgumentParser, verb: str, *, default: bool = True
) -> None:
    """From which commits on: as in DVC."""
    usual = " (default: HEAD)" if default else ""
    add = parser.add_argument
    add("-A", "--all-commits", action="store_true", help=f"{verb} all experiments there are")
    add(
        "--rev",
        action="append",
        metavar="COMMIT",
        help=f"{verb} the experiments of this commit{usual}",
    )
    add(
        "-n",
        "--num",
        type=int,
        default=1,
        metavar="N",
        help="and of the commits before, N in all; negative: of all before",
    )


def repro_options(namespace: argparse.Namespace, cwd: Location) -> ReproOptions:
    """The options of `add_repro_options` as one value."""
    selection = Selection(
        targets=tuple(namespace.targets),
        cwd=cwd,
        single_item=namespace.single_item,
        pipeline=namespace.pipeline,
        all_pipelines=namespace.all_pipelines,
        recursive=namespace.recursive,
        downstream=namespace.downstream,
        glob=namespace.glob,
    )
    return ReproOptions(
        selection=selection,
        force=namespace.force,
        force_downstream=namespace.force_downstream,
        pull=namespace.pull,
        allow_missing=namespace.allow_missing,
        dry=namespace.dry,
        interactive=namespace.interactive,
        on_error=namespace.on_error,
        run_cache=not namespace.no_run_cache,
        commit=not namespace.no_commit,
    )


def refuse_on_windows() -> None:
    """exprun needs POSIX process groups and file locks."""
    if sys.platform == "win32":
        raise UsageError("exprun runs on Linux and macOS", hint="use WSL on Windows")
