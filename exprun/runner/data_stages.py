"""The data that an experiment starts from: added files into the cache, outputs out of it.

DVC does both before it reproduces (`dvc.repo.experiments`): the .dvc files upstream of the targets
are committed as they are in the workspace, then the recorded outputs are checked out, by force.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.lock import LockedPath, LockedStage
from exprun.model.paths import ROOT, is_url, parent
from exprun.model.values import replace
from exprun.runner.boundaries import Boundaries
from exprun.runner.probe import content_like
from exprun.runner.versions import keep_versions
from exprun.store.confine import confine
from exprun.store.failures import MissingObjects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exprun.model.experiment import Selection
    from exprun.model.lock import Content
    from exprun.model.paths import Location
    from exprun.model.stage import Output, Stage
    from exprun.runner.project import Project
    from exprun.runner.site import Site

    RecordedOutput = tuple[Location, Content | None]


def concerned_stages(project: Project, selection: Selection) -> Sequence[Stage]:
    """The stages whose data an experiment may need: those of its targets and all upstream.

    Those that may not be run at all are not among them.
    """
    boundaries = Boundaries(project)
    stages = [stage for stage in project.stages if boundaries.refusal(stage) is None]
    if not selection.targets:
        return stages
    wanted = project.graph.all_upstream(stage.id for stage in project.select(selection))
    return [stage for stage in stages if stage.id in wanted]


def commit_data(site: Site, stages: Iterable[Stage]) -> Iterator[tuple[Stage, LockedStage]]:
    """Bring the data that .dvc files among `stages` name into the cache, and tell what it is now.

    Missing data stays as recorded.
    """
    for stage in stages:
        if stage.has_only_data:
            yield stage, _current(site, stage)


def ignore_data(site: Site, stages: Iterable[Stage]) -> None:
    """Keep the data of .dvc files among `stages` out of Git. Raises PipelineError if it tracks it.

    As in DVC these lines stay when the run fails.
    """
    for stage in stages:
        if stage.has_only_data:
            for out in stage.outs:
                if out.is_kept_in_cache and os.path.exists(site.path(out.location)):
                    site.ignore(out.location)
    if site.git_ignores is not None:
        site.git_ignores.keep()


def _current(site: Site, stage: Stage) -> LockedStage:
    known = site.records.entry(stage) or LockedStage()
    outs = []
    for recorded, out in zip(known.outs, stage.outs, strict=True):
        outs.append(_updated(recorded, _collect(site, out, recorded.content)))
    deps = []
    for recorded, dep in zip(known.deps, stage.deps, strict=True):
        is_file = dep.source is None and not is_url(dep.location)
        deps.append(_updated(recorded, site.probe.content(dep.location) if is_file else None))
    entry = LockedStage(cmd=known.cmd, deps=tuple(deps), params=known.params, outs=tuple(outs))
    return keep_versions(site, stage, entry)


def _collect(site: Site, out: Output, recorded: Content | None) -> Content | None:
    start = site.probe.start
    content = content_like(start, out.location, recorded)
    if content is None or not out.cache or start.has_objects(content):
        return content
    path = site.path(out.location)
    content = site.store.collect(path, root=site.root, legacy=content.legacy, relink=False)
    start.note(out.location, content)
    return content


def _updated(recorded: LockedPath, content: Content | None) -> LockedPath:
    """What is there now, its mode included."""
    if content is None:
        return recorded
    if content.same_data(recorded.content):
        return replace(recorded, content=content)
    return LockedPath(path=recorded.path, content=content)


def recorded_outputs(site: Site, stages: Iterable[Stage]) -> Iterator[RecordedOutput]:
    """The outputs of `stages` in the project that DVC keeps, and what they are to hold, if that is
    known.
    """
    for stage in stages:
        contents = _recorded_contents(site, stage)
        for out in stage.outs:
            if out.is_kept_in_cache:
                yield out.location, contents.get(out.path)


def remove_left(site: Site, left: Iterable[str], outputs: Iterable[RecordedOutput]) -> None:
    """Remove what an earlier experiment has left at these paths, unless it is just what checking
    out the `outputs` would make.
    """
    recorded = {site.path(location): (location, content) for location, content in outputs}
    for path in left:
        location, content = recorded.get(path, (None, None))
        if location is None or content is None or not _is_intact(site, path, location, content):
            site.store.remove_output(path, root=site.root)
            _remove_empty_above(path, site.root)


def _recorded_contents(site: Site, stage: Stage) -> dict[str, Content | None]:
    """What the outputs of `stage` are to hold, by path. An import has the mode of its source."""
    entry = site.records.entry(stage)
    if entry is None:
        return {}
    contents = {out.path: out.content for out in entry.outs}
    if stage.is_pipeline_stage or not stage.is_import or stage.deps[0].source is not None:
        return contents
    source = entry.deps[0].content
    isexec = source is not None and source.isexec
    return {path: found and replace(found, isexec=isexec) for path, found in contents.items()}


def _is_intact(site: Site, path: str, location: Location, content: Content) -> bool:
    with suppress(StoreError):
        now = site.store.intact(content, path, root=site.root)
        if now is not None and site.store.has(now):
            site.probe.start.note(location, now)
            return True
    return False


def _remove_empty_above(path: str, root: str) -> None:
    with suppress(OSError):
        while (path := os.path.dirname(path)) != root:
            os.rmdir(path)


def check_out_outputs(site: Site, outputs: Iterable[RecordedOutput], *, everything: bool) -> None:
    """Make the `outputs` be in the workspace as recorded, over edits made by hand.

    With `everything`, outputs that no stage names any more and that were not modified are removed.
    What is not in the cache, or was never recorded, is left as it is: DVC deletes it.
    """
    if everything:
        used = [
            site.path(out.location)
            for stage in site.project.stages
            for out in stage.outs
            if not is_url(out.location)
        ]
        if site.store.remove_unused_outputs(site.root, used):
            site.probe.start.forget()
    directories: set[Location] = {ROOT}
    for location, content in outputs:
        directory = parent(location)
        if directory not in directories:
            # Commands may count on the directory of an output: DVC makes it here, too.
            place = confine(site.path(location), site.root)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            directories.add(directory)
        if content is not None:
            _check_out(site, location, content)


def _check_out(site: Site, location: Location, content: Content) -> None:
    if _holds(site, location, content):
        return
    site.probe.start.forget(location)
    try:
        site.store.checkout(
            content,
            site.path(location),
            root=site.root,
            seen=partial(site.probe.start.note, location),
        )
    except MissingObjects as error:
        site.probe.start.forget()
        site.warn(f"'{location}' is not checked out: {error.message}")


def _holds(site: Site, location: Location, content: Content) -> bool:
    try:
        now = site.probe.start.content(location, legacy=content.legacy)
    except StoreError:
        # Links into the cache are broken when their objects have gone; the stage may make it anew.
        return False
    # As in DVC a mode is only ever added.
    return now is not None and content.same_data(now) and now.isexec >= content.isexec
