"""``exprun repro``: bring the pipeline up to date, without an experiment."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.event_files import settle_event_files
from exprun.cli.messages import Warnings, not_changed, warn
from exprun.cli.opening import open_here
from exprun.cli.parsing import (
    Parser,
    add_job_options,
    add_repro_options,
    add_talk_options,
    repro_options,
)
from exprun.pipeline.targets import address
from exprun.project.answers import ask
from exprun.runner.planning import are_up_to_date, plan_stages
from exprun.runner.witness import keep_answer
from exprun.store.clock import file_clock

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.opening import Opened
    from exprun.runner.repro import Reproduced
    from exprun.runner.session import Session


_UP_TO_DATE = "Data and pipelines are up to date."


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Bring stages up to date in the workspace."""
    began_ns = file_clock()
    namespace = _parser().parse_args(arguments)
    settle_event_files(namespace, cwd)
    heard = Warnings(warn)
    opened = open_here(cwd, warn=heard)
    options = repro_options(namespace, opened.place.cwd)
    project = opened.load()
    if options.dry:
        from exprun.cli.dry import show_plan

        planned = project.plan(options.selection)
        return show_plan(opened, project, planned, options, quiet=namespace.quiet)
    stages = plan_stages(opened, project, options)
    if _looking_may_do(namespace) and are_up_to_date(opened, project, stages, options):
        text = _unchanged(stages, opened.place.cwd)
        if not namespace.quiet:
            sys.stdout.write(text)
        if not heard.any:
            question = ask(["repro", *arguments], cwd=cwd, env=opened.env)
            keep_answer(
                question, text, opened=opened, project=project, stages=stages, began_ns=began_ns
            )
        return exits.OK
    from exprun.cli.running import run_session

    async def work(session: Session) -> int:
        from exprun.runner.repro import reproduce

        reproduced = await reproduce(session, project, stages, options)
        if not namespace.quiet:
            _say_what_next(opened, reproduced, cwd)
        return exits.OK

    return run_session(opened, namespace, options, work)


def _parser() -> Parser:
    parser = Parser("repro", "Bring the pipeline up to date by running what changed.")
    add_repro_options(parser)
    add_job_options(parser)
    add_talk_options(parser)
    return parser


def _looking_may_do(namespace: argparse.Namespace) -> bool:
    """Whether a run that finds nothing to do would do nothing else that is seen."""
    more = ("force", "interactive", "pull", "verbose", "log_json", "events", "resources")
    return not any(getattr(namespace, name) for name in more)


def _unchanged(stages: Sequence[Stage], cwd: Location) -> str:
    lines = [not_changed(address(s, cwd), is_data=s.has_only_data) for s in stages]
    return "".join(f"{line}\n" for line in [*lines, _UP_TO_DATE])


def _say_what_next(opened: Opened, reproduced: Reproduced, cwd: str) -> None:
    if not reproduced.entries:
        sys.stdout.write(f"{_UP_TO_DATE}\n")
        return
    files = [os.path.relpath(file, cwd) for file in reproduced.written]
    core = opened.config.core
    if files and not (core.autostage or core.no_scm):
        names = " ".join(map(shlex.quote, files))
        sys.stdout.write(
            f"\nTo track the changes with git, run:\n\n\tgit add {names}\n"
            "\nTo enable auto staging, run:\n\n\tdvc config core.autostage true\n"
        )
    sys.stdout.write("Use `dvc push` to send your updates to remote storage.\n")
