"""Imported data that follows its source: .dvc files of ``dvc import-url``, unfrozen."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from exprun.errors import MissingDependency, PipelineError
from exprun.model.paths import is_url
from exprun.store.failures import reporting

if TYPE_CHECKING:
    from exprun.model.lock import LockedStage
    from exprun.model.stage import Stage
    from exprun.runner.site import Site


def follows_source(stage: Stage, recorded: LockedStage | None) -> bool:
    """Whether a changed stage is an import that is brought up to date by copying again.

    DVC also does so for a frozen one of which nothing was ever imported.
    """
    if stage.is_pipeline_stage or not stage.is_import:
        return False
    return not stage.frozen or recorded is None or recorded.outs[0].content is None


def import_again(stage: Stage, site: Site, recorded: LockedStage | None, *, trust: bool) -> None:
    """Make the output of an import what its source is now.

    With `trust`, data that is in the cache is taken from there. Raises PipelineError for a source
    that is no path of this machine.
    """
    source, out = stage.deps[0], stage.outs[0]
    if source.source is not None or is_url(source.location):
        raise PipelineError(
            f"importing '{out.path}' again from '{source.path}' is not supported",
            where=stage.file,
            hint=f"dvc update {shlex.quote(stage.file)}",
        )
    origin, place = site.path(source.location), site.path(out.location)
    if not os.path.exists(origin):
        raise MissingDependency(f"dependency '{source.path}' does not exist", where=stage.file)
    site.store.remove_output(place, root=site.root)
    content = recorded.outs[0].content if trust and recorded else None
    if content is not None and site.store.has(content, verify=True):
        site.store.checkout(content, place, root=site.root)
        return
    with reporting("import", origin):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        _copy(origin, place)


def _copy(origin: str, place: str) -> None:
    """Copy a file, or every file of a directory, but no modes: as DVC does."""
    import shutil

    if not os.path.isdir(origin):
        shutil.copyfile(origin, place)
        return
    os.mkdir(place)
    for directory, _, names in os.walk(origin):
        target = os.path.normpath(os.path.join(place, os.path.relpath(directory, origin)))
        for name in names:
            os.makedirs(target, exist_ok=True)
            shutil.copyfile(os.path.join(directory, name), os.path.join(target, name))
