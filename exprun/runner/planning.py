"""Which stages a request is about, and whether looking at them is all that it takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.errors import ExprunError, PipelineError
from exprun.lockfile.keys import is_savable
from exprun.model.lock import LockedStage
from exprun.model.paths import is_outside
from exprun.pipeline.outputs import describe
from exprun.runner.boundaries import Boundaries
from exprun.runner.looking import find_reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.model.experiment import ReproOptions
    from exprun.model.stage import Stage
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project


def plan_stages(opened: Opened, project: Project, options: ReproOptions) -> list[Stage]:
    """The stages to bring up to date. Raises UsageError and ProjectError for what cannot be run.

    DVC files that are broken but not asked for are named in a warning each.
    """
    stages = project.plan(options.selection)
    Boundaries(project).check(stages)
    if options.commit:
        for stage in stages:
            _require_place(stage)
    for error in project.broken.values():
        opened.warn(f"{error} (nothing of this file is used)")
    return stages


def _require_place(stage: Stage) -> None:
    """Refuse what DVC runs and then does not keep: results of a stage that works outside."""
    if is_outside(stage.wdir) and is_savable(stage, LockedStage()):
        raise PipelineError(
            f"stage {describe(stage)} works outside of the project: in '{stage.wdir}'",
            where=stage.file,
            hint="DVC could not keep its results; have its 'wdir' inside the project",
        )


def are_up_to_date(
    opened: Opened, project: Project, stages: Sequence[Stage], options: ReproOptions
) -> bool:
    """Whether no stage has to be run, restored or verified. Nothing is written.

    Stops at the first that has. A file that cannot be read, and what a killed session has left
    running, are for the run to deal with.
    """
    if os.path.isdir(opened.place.running_dir) and os.listdir(opened.place.running_dir):
        return False
    site = opened.site(project)

    def is_up_to_date(stage: Stage) -> bool:
        reasons = find_reasons(site, stage, allow_missing=options.allow_missing)
        return next(reasons, None) is None

    with site.store:
        try:
            return all(map(is_up_to_date, stages))
        except (ExprunError, OSError):
            return False
