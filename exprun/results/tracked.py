"""What the DVC files of a project say is to be shown, whatever its other files hold."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.lockfile.datasets import is_dataset
from exprun.model.paths import Location, is_url, join
from exprun.model.stage import OutputKind
from exprun.model.values import dataclass
from exprun.results.state import FileValues, Recorded, RecordedOut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exprun.model.lock import LockedPath, LockedStage
    from exprun.model.stage import Stage
    from exprun.results.reading import Description

DEFAULT_PARAMS = Location("params.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """The same for all commits that have their DVC files in common.

    `params` are the files with the keys to show of each; none stands for all of them. `variables`
    is what ``${…}`` took from files.
    """

    params: dict[Location, tuple[str, ...]]
    metrics: tuple[Location, ...]
    variables: dict[str, FileValues]
    stages: tuple[TrackedStage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedStage:
    """The dependencies and outputs of a stage: as shown, and as its record spells them."""

    stage: Stage
    deps: tuple[tuple[str, str], ...]
    outs: tuple[tuple[str, str, bool], ...]

    def recorded_deps(self, entry: LockedStage | None) -> Iterator[tuple[str, Recorded]]:
        """What is recorded of each dependency."""
        recorded = {item.path: item for item in entry.deps} if entry else {}
        for shown, path in self.deps:
            yield shown, _recorded(recorded.get(path))

    def recorded_outs(self, entry: LockedStage | None) -> Iterator[tuple[str, RecordedOut]]:
        """What is recorded of each output that is neither a metric nor a plot."""
        recorded = {item.path: item for item in entry.outs} if entry else {}
        for shown, path, cache in self.outs:
            yield (
                shown,
                RecordedOut(
                    **_recorded(recorded.get(path)),
                    use_cache=cache,
                    is_data_source=self.stage.is_data_source,
                ),
            )


def tracked_by(
    project: Description, root: str, *, param_deps: bool, default_params: bool
) -> Tracked:
    """What a project's DVC files track; with `param_deps` only those parameters that stages do.

    `default_params`: whether there is a ``params.yaml``.
    """
    stages = tuple(project.stages())
    outs = (out for stage in stages for out in stage.outs)
    metrics = [out.location for out in outs if out.kind is OutputKind.METRIC]
    metrics += [location for pipeline in project.pipelines for location in pipeline.metrics]
    return Tracked(
        params=_params(project, stages, param_deps=param_deps, default_params=default_params),
        metrics=tuple(dict.fromkeys(metrics)),
        variables=_variables(stages),
        stages=tuple(_tracked_stage(stage, root) for stage in stages),
    )


def _params(
    project: Description, stages: Sequence[Stage], *, param_deps: bool, default_params: bool
) -> dict[Location, tuple[str, ...]]:
    named: list[tuple[Location, tuple[str, ...]]] = [
        (file.location, file.keys) for stage in stages for file in stage.params
    ]
    if not param_deps:
        named += [(location, ()) for pipe in project.pipelines for location in pipe.params]
        named += [(DEFAULT_PARAMS, ())] if default_params else []
    whole = {location for location, keys in named if not keys}
    tracked: dict[Location, dict[str, None]] = {}
    for location, keys in named:
        known = tracked.setdefault(location, {})
        if location not in whole:
            known.update(dict.fromkeys(keys))
    return {location: tuple(keys) for location, keys in tracked.items()}


def _variables(stages: Sequence[Stage]) -> dict[str, FileValues]:
    found: dict[str, dict[str, object]] = {}
    for stage in stages:
        for file, values in stage.tracked.items():
            found.setdefault(join(Location("."), file), {}).update(values)
    return {location: FileValues(data=values) for location, values in found.items()}


def _tracked_stage(stage: Stage, root: str) -> TrackedStage:
    return TrackedStage(
        stage=stage,
        deps=tuple(
            (_shown(dep.location, root), dep.path)
            for dep in stage.deps
            if not (dep.source or is_dataset(dep))
        ),
        outs=tuple(
            (_shown(out.location, root), out.path, out.cache)
            for out in stage.outs
            if out.kind is OutputKind.OUT
        ),
    )


def _shown(location: Location, root: str) -> str:
    """A location as DVC shows it: relative to the root, wherever it is."""
    if is_url(location):
        return location.partition("://")[2]
    return os.path.relpath(location, root) if os.path.isabs(location) else location


def _recorded(item: LockedPath | None) -> Recorded:
    if item is None:
        return Recorded(hash=None, size=None, nfiles=None)
    if item.content is not None:
        content = item.content
        return Recorded(hash=content.oid, size=content.size, nfiles=content.nfiles)
    extra = item.extra
    names = ("etag", "checksum", "md5", "version_id")
    return Recorded(
        hash=next((str(extra[name]) for name in names if name in extra), None),
        size=_count(extra.get("size")),
        nfiles=_count(extra.get("nfiles")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
