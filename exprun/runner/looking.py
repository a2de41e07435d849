"""What has changed since the stages of a project last ran: ``dvc status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import UsageError
from exprun.lockfile.compare import changes, status
from exprun.model.paths import is_inside, join
from exprun.model.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exprun.lockfile.compare import Change
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.project import Project
    from exprun.runner.site import Site


def choose(
    project: Project,
    targets: Sequence[str],
    *,
    cwd: Location,
    recursive: bool = False,
    with_deps: bool = False,
) -> list[Stage]:
    """The stages to look at: all that could be loaded, or those that the targets name.

    A target may be an output here; then the stage comes with that output alone. Raises UsageError
    for a target that names nothing, and the reason if its file could not be loaded.
    """
    if not targets:
        return list(project.stages)
    from exprun.model.experiment import Selection

    chosen: dict[object, Stage] = {}
    for target in targets:
        selection = Selection(targets=(target,), cwd=cwd, recursive=recursive)
        try:
            found = project.select(selection)
        except UsageError:
            maker = _maker(project, join(cwd, target))
            if maker is None:
                raise
            found = [maker]
        if with_deps:
            needed = project.graph.all_upstream(stage.id for stage in found)
            found = [project.graph.stages[id] for id in project.graph.postorder(needed)]
        chosen.update((stage.id, stage) for stage in found)
    return list(chosen.values())


def _maker(project: Project, location: Location) -> Stage | None:
    """The stage whose output `location` is or lies in, without its other outputs."""
    for stage in project.stages:
        outs = tuple(out for out in stage.outs if is_inside(location, out.location))
        if outs:
            return replace(stage, outs=outs)
    return None


def find_reasons(site: Site, stage: Stage, *, allow_missing: bool) -> Iterator[Change]:
    """Why a stage would have to run, found one by one. Raises what `look` raises."""
    return changes(
        stage,
        site.records.entry(stage),
        site.probe,
        allow_missing=allow_missing,
        upstream=site.upstream_contents(stage) if allow_missing else None,
        checksum_changed=site.records.has_wrong_checksum(stage),
        external=site.external(stage),
    )


def look(site: Site, stage: Stage) -> Iterator[Change]:
    """What has changed about a stage, in DVC's order. Imports are not asked for updates.

    Raises LockfileError, ParamsError and StoreError.
    """
    return status(
        stage,
        site.records.entry(stage),
        site.probe,
        checksum_changed=site.records.has_wrong_checksum(stage),
        external=site.external(stage),
    )
