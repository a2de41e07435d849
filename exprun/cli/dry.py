"""``--dry``: what would run, and why, without running or writing anything."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.messages import not_changed
from exprun.cli.reasons import describe_change
from exprun.errors import MissingDependency
from exprun.executors.shell import split_cmd
from exprun.pipeline.targets import address
from exprun.runner.work import Need, StageWork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exprun.model.experiment import ReproOptions
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project


def show_plan(
    opened: Opened,
    project: Project,
    stages: Sequence[Stage],
    options: ReproOptions,
    edits: Mapping[Location, bytes] = MappingProxyType({}),
    *,
    quiet: bool,
) -> int:
    """Print the plan stage by stage, judged on the files as they are with `edits` made."""
    for text in _plan(opened, project, stages, options, edits):
        if not quiet:
            sys.stdout.write(text)
    return exits.OK


def _plan(
    opened: Opened,
    project: Project,
    stages: Sequence[Stage],
    options: ReproOptions,
    edits: Mapping[Location, bytes],
) -> Iterator[str]:
    site = opened.site(project, edits=edits)
    work = StageWork(site, options)
    cwd = options.selection.cwd
    would_run: set[object] = set()
    with site.store:
        for stage in stages:
            name = address(stage, cwd)
            reasons = list(work.reasons(stage))
            waits = [
                address(project.graph.stages[id], cwd)
                for id in project.graph.upstream(stage.id)
                if id in would_run
            ]
            if not (reasons or options.force):
                after = f"  until {', '.join(waits)} has run\n" if waits else ""
                line = not_changed(name, is_data=stage.has_only_data)
                yield f"{line}\n{after}"
                continue
            if options.pull and not options.force and work.is_only_missing(stage):
                lines = [f"Pulling data for stage: '{name}'"]
            else:
                would_run.add(stage.id)
                lines = _would_do(work, stage, name, forced=options.force)
            lines += [f"  because {describe_change(reason)}" for reason in reasons]
            lines += ["  because of --force"] if options.force else []
            yield "\n".join(lines) + "\n"


def _would_do(work: StageWork, stage: Stage, name: str, *, forced: bool) -> list[str]:
    try:
        need = work.judge(stage, forced=forced).need
    except MissingDependency:
        # An upstream stage may make it first.
        need = Need.RUN
    match need:
        case Need.RESTORE:
            return [f"Stage '{name}' is cached - skipping run, checking out outputs"]
        case Need.IMPORT:
            return [f"Importing '{stage.deps[0].path}' -> '{stage.outs[0].path}'"]
        case Need.VERIFY:
            return [f"Verifying outputs in stage: '{name}'"]
        case _:
            return [f"Running stage '{name}':", *(f"> {text}" for text in split_cmd(stage.cmd))]
