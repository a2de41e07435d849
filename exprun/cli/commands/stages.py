"""``exprun stages``: every stage as resolved, without running anything."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.messages import report, warn
from exprun.cli.parsing import PlainParser
from exprun.errors import ParamsError
from exprun.lockfile.values import select_params
from exprun.model.experiment import Selection
from exprun.model.paths import spell
from exprun.model.values import replace
from exprun.pipeline.describe import describe
from exprun.pipeline.targets import PIPELINE_FILE, address
from exprun.runner.opening import open_project

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exprun.errors import ProjectError
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.pipeline.pipeline_file import PipelineFile
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project
    from exprun.runner.site import Site


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """List the stages of the project, or those the targets name."""
    namespace = _parser().parse_args(arguments)
    opened = open_project(cwd, env=dict(os.environ), warn=warn)
    project = opened.load()
    pipelines, errors = _choose(project, namespace.targets, opened.place.cwd)
    if namespace.json:
        _write_json(opened, project, pipelines, errors)
    else:
        here = opened.place.cwd
        texts = [_text(stage, here) for pipeline in pipelines for stage in pipeline.stages]
        sys.stdout.write("\n".join(texts))
        for error in errors.values():
            report(error)
    return exits.REFUSED if errors else exits.OK


def _parser() -> PlainParser:
    parser = PlainParser("stages", "List every stage as resolved, without running anything.")
    add = parser.add_argument
    add("targets", nargs="*", metavar="target", help="stages or dvc.yaml files (default: all)")
    add("--json", action="store_true", help="print one JSON object")
    return parser


def _choose(
    project: Project, targets: Sequence[str], cwd: Location
) -> tuple[list[PipelineFile], Mapping[Location, ProjectError]]:
    """The pipeline files with the stages to list, and those that could not be loaded."""
    if not targets:
        broken = {
            file: error
            for file, error in project.broken.items()
            if os.path.basename(file) == PIPELINE_FILE
        }
        return list(project.pipelines.values()), broken
    selected = project.select(Selection(targets=tuple(targets), cwd=cwd))
    wanted = {stage.id for stage in selected}
    return [
        replace(pipeline, stages=tuple(s for s in pipeline.stages if s.id in wanted))
        for pipeline in project.pipelines.values()
    ], {}


def _text(stage: Stage, here: Location) -> str:
    marks = [
        mark
        for mark, holds in (("frozen", stage.frozen), ("always changed", stage.always_changed))
        if holds
    ]
    rows = {
        "cmd": [stage.cmd] if isinstance(stage.cmd, str) else list(stage.cmd or ()),
        "deps": _paths((dep.location for dep in stage.deps), here),
        "params": [_params(file.keys, spell(file.location, start=here)) for file in stage.params],
        "outs": _paths((out.location for out in stage.outs), here),
    }
    lines = [address(stage, here) + (f" ({', '.join(marks)})" if marks else "")]
    for title, values in rows.items():
        for at, line in enumerate(line for value in values for line in value.splitlines()):
            lines.append(f"  {'' if at else title + ':':<7} {line}")
    return "".join(f"{line}\n" for line in lines)


def _paths(locations: Iterable[Location], here: Location) -> list[str]:
    spelled = [spell(location, start=here) for location in locations]
    return [", ".join(spelled)] if spelled else []


def _params(keys: Sequence[str], file: str) -> str:
    return f"{', '.join(keys)} ({file})" if keys else f"all of {file}"


def _write_json(
    opened: Opened,
    project: Project,
    pipelines: Iterable[PipelineFile],
    errors: Mapping[Location, ProjectError],
) -> None:
    import json

    site = opened.site(project)
    described = describe(
        pipelines,
        errors,
        address=lambda stage: address(stage, opened.place.cwd),
        tracked=lambda stage: _values(site, stage),
    )
    indent = 2 if sys.stdout.isatty() else None
    text = json.dumps(_plain(described), indent=indent, ensure_ascii=False)
    sys.stdout.write(f"{text}\n")


def _values(site: Site, stage: Stage) -> dict[str, dict[str, object]]:
    """The present values of what a stage tracks; none for a file that cannot be read."""
    found: dict[str, dict[str, object]] = {}
    for file in stage.params:
        try:
            values = site.probe.params(file.location)
            found[file.location] = {} if values is None else select_params(values, file)
        except ParamsError as error:
            site.warn(str(error))
    return found


def _plain(value: object) -> object:
    """`value` in the types of JSON: parameter files may hold dates, sets and keys of any type."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(key): _plain(item) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if value is None or isinstance(value, (str, int, float)):
        return value
    return str(value)
