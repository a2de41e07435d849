"""``exprun run``: run an experiment and keep it as a commit."""

from __future__ import annotations

from argparse import SUPPRESS
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.event_files import settle_event_files
from exprun.cli.opening import open_here
from exprun.cli.parsing import (
    Parser,
    add_failure_options,
    add_job_options,
    add_repro_options,
    add_talk_options,
    repro_options,
)
from exprun.errors import UsageError
from exprun.model.experiment import ExperimentSpec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exprun.model.experiment import ReproOptions
    from exprun.runner.opening import Opened
    from exprun.runner.session import Session


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Run one experiment."""
    namespace = _parser().parse_args(arguments)
    _check(namespace)
    settle_event_files(namespace, cwd)
    opened = open_here(cwd)
    options = repro_options(namespace, opened.place.cwd)
    spec = _spec(namespace, options)
    if namespace.queue and not options.dry:
        from exprun.cli.queueing import queue

        return queue(opened, spec, namespace)
    if namespace.detach:
        from exprun.cli.background import start_in_background

        given = [argument for argument in arguments if argument != "--detach"]
        return start_in_background(opened, given, cwd=cwd, quiet=namespace.quiet)
    if namespace.run_all:
        from exprun.cli.run_all import run_all

        return run_all(opened, namespace, options)
    if not options.dry and _is_sweep(spec):
        from exprun.cli.run_all import run_sweep

        return run_sweep(opened, namespace, options, spec)
    if options.dry:
        return _show_plan(opened, spec, quiet=namespace.quiet)

    from exprun.cli.running import run_session

    async def work(session: Session) -> int:
        from exprun.runner.experiment import run_experiment

        await run_experiment(session, spec)
        return exits.OK

    return run_session(opened, namespace, options, work)


def _spec(namespace: argparse.Namespace, options: ReproOptions) -> ExperimentSpec:
    return ExperimentSpec(
        name=namespace.name,
        set_params=tuple(namespace.set_param),
        params=tuple(namespace.params),
        message=namespace.message,
        isolated=namespace.temp,
        copy_paths=tuple(namespace.copy_paths),
        hydra=not namespace.no_hydra,
        options=options,
    )


def _show_plan(opened: Opened, spec: ExperimentSpec, *, quiet: bool) -> int:
    from exprun.cli.dry import show_plan
    from exprun.runner.experiment import prepare

    prepared = prepare(opened, spec)
    edits = prepared.edits.contents
    return show_plan(opened, prepared.project, prepared.stages, spec.options, edits, quiet=quiet)


def _is_sweep(spec: ExperimentSpec) -> bool:
    from exprun.params.sweeps import is_sweep
    from exprun.runner.editing import parse_edits

    return is_sweep(parse_edits(spec))


# What --run-all has no use for. That of --temp, and -k, it does anyway.
_OF_ONE = (
    "queue", "dry", "name", "set_param", "params", "message", "copy_paths", "no_hydra", "force",
    "force_downstream", "single_item", "pipeline", "all_pipelines", "recursive", "downstream",
    "pull", "allow_missing", "interactive", "glob", "no_commit", "no_run_cache",
)  # fmt: skip


def _check(namespace: argparse.Namespace) -> None:
    """Refuse what would be passed over in silence."""
    if namespace.run_all:
        given = [name for name in _OF_ONE if getattr(namespace, name)]
        if given or namespace.targets:
            what = f"--{given[0].replace('_', '-')}" if given else f"'{namespace.targets[0]}'"
            raise UsageError(
                f"--run-all runs experiments as they were queued: {what} has no place there",
                hint="to queue one more first: exprun run --queue ..., without --run-all",
            )
    elif namespace.detach:
        raise UsageError(
            "--detach is for --run-all only",
            hint="keep the experiment with --queue, then: exprun run --run-all --detach",
        )
    elif namespace.retry_failed:
        raise UsageError(
            "--retry-failed is for --run-all only",
            hint="exprun run --run-all --retry-failed, or exprun retry NAME",
        )


def _parser() -> Parser:
    parser = Parser("run", "Run an experiment and keep it as a commit under refs/exps.")
    add_repro_options(parser)
    add = parser.add_argument
    add("-n", "--name", help="the experiment's name (default: made up)")
    add(
        "-S",
        "--set-param",
        action="append",
        default=[],
        metavar="[FILE:]KEY=VALUE",
        help="set a parameter, in Hydra's override grammar; more values are a sweep: lr=0.1,0.2",
    )
    add(
        "--params",
        action="append",
        default=[],
        metavar="[FILE:]KEY=VALUE[,...]",
        help="set several parameters",
    )
    add("-m", "--message", help="the message of the experiment's commit")
    add("-M", dest="message", help=SUPPRESS)  # As DVC once called it, and still takes.
    add("--run-all", action="store_true", help="run everything that is queued")
    add("--retry-failed", action="store_true", help="with --run-all: failed experiments again, too")
    add("--detach", action="store_true", help="with --run-all: in the background")
    add_failure_options(parser)
    add("--queue", action="store_true", help="keep it for later, sweeps as one experiment each")
    add("--temp", action="store_true", help="run in a directory of its own, not in the workspace")
    add(
        "-C",
        "--copy-paths",
        action="append",
        default=[],
        metavar="PATH",
        help="with --temp or --queue: take an untracked or ignored path along",
    )
    add("--no-hydra", action="store_true", help="do not compose params.yaml with Hydra")
    add_job_options(parser)
    add_talk_options(parser)
    return parser
