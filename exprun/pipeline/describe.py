"""The object that ``exprun stages --json`` prints: every stage of the project, resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from exprun.model.stage import OutputKind

if TYPE_CHECKING:
    from exprun.errors import ProjectError
    from exprun.model.paths import Location
    from exprun.model.stage import Output, Stage
    from exprun.pipeline.pipeline_file import PipelineFile

VERSION = 1

Address = Callable[["Stage"], str]
"""How the stage is addressed from where the user is."""

TrackedValues = Callable[["Stage"], Mapping[str, Mapping[str, object]]]
"""The present values of the parameters a stage names: location -> key -> value."""


def describe(
    pipelines: Iterable[PipelineFile],
    errors: Mapping[Location, ProjectError],
    *,
    address: Address,
    tracked: TrackedValues,
) -> dict[str, object]:
    """The stages of `pipelines`, and the files that could not be loaded with their reasons."""
    return {
        "version": VERSION,
        "stages": [
            describe_stage(stage, address=address, tracked=tracked)
            for pipeline in pipelines
            for stage in pipeline.stages
        ],
        "errors": [{"file": file, "error": str(error)} for file, error in errors.items()],
    }


def describe_stage(stage: Stage, *, address: Address, tracked: TrackedValues) -> dict[str, object]:
    """One stage, its paths as locations."""
    outs: dict[OutputKind, list[dict[str, object]]] = {kind: [] for kind in OutputKind}
    for out in stage.outs:
        outs[out.kind].append(_output(out))
    return {
        "address": address(stage),
        "name": stage.name,
        "file": stage.file,
        "cmd": stage.cmd,
        "wdir": stage.wdir,
        "deps": [dep.location for dep in stage.deps],
        "params": _params(stage, tracked(stage)),
        "outs": outs[OutputKind.OUT],
        "metrics": outs[OutputKind.METRIC],
        "plots": outs[OutputKind.PLOT],
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
        "desc": stage.desc,
        "meta": stage.meta,
        "definition": dict(stage.definition),
    }


def _params(
    stage: Stage, named: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """What the stage names and what templating took for it, joined by file."""
    params: dict[str, dict[str, object]] = {file.location: {} for file in stage.params}
    for values in (stage.tracked, named):
        for file, present in values.items():
            params.setdefault(file, {}).update(present)
    return params


def _output(out: Output) -> dict[str, object]:
    described: dict[str, object] = {
        "path": out.location,
        "cache": out.cache,
        "persist": out.persist,
        "push": out.push,
    }
    if out.remote:
        described["remote"] = out.remote
    if out.kind is OutputKind.PLOT:
        described["props"] = dict(out.props)
    return described
