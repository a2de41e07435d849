"""What a stage may name as an output: something inside the project that DVC does not ignore.

exprun refuses the rest before anything is touched; DVC removes such outputs first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.errors import PipelineError
from exprun.model.paths import ROOT, is_outside, is_url, parent
from exprun.pipeline.outputs import describe
from exprun.project.ignore import IgnoreRules
from exprun.store.confine import FORBIDDEN, real_directory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exprun.model.paths import Location
    from exprun.model.stage import Output, Stage
    from exprun.runner.project import Project


class Boundaries:
    """The boundaries of a project, symlinks resolved."""

    def __init__(self, project: Project) -> None:
        self._root = project.root
        self._real_root = real_directory(project.root)
        self._beneath = os.path.join(self._real_root, "")
        # As in DVC, one project may write into another.
        self._ignore = IgnoreRules(project.root, nested_projects=True, beside=project.ignore)
        self._real_parents = {ROOT: self._real_root}

    def check(self, stages: Iterable[Stage]) -> None:
        """Raise PipelineError for the first stage with an output that may not be one."""
        for stage in stages:
            if (refusal := self.refusal(stage)) is not None:
                raise refusal

    def refusal(self, stage: Stage) -> PipelineError | None:
        """What is wrong with the outputs of `stage`, if anything is."""
        for out in stage.outs:
            reason = None if _is_left_alone(out) else self._reason(out.location)
            if reason is not None:
                return PipelineError(
                    f"output '{out.path}' of stage {describe(stage)} {reason}",
                    where=stage.file,
                    hint="name an output inside the project, or give it another place",
                )
        return None

    def _reason(self, location: Location) -> str | None:
        inside = self._inside(location)
        parts = inside.lower().split(os.sep)
        if inside == os.curdir:
            return "is the project itself"
        if parts[0] == os.pardir or is_outside(location):
            return "lies outside of the project"
        if not FORBIDDEN.isdisjoint(parts):
            return "lies inside .git or .dvc"
        if self._ignore.ignores_output(location):
            return "is ignored by .dvcignore"
        return None

    def _inside(self, location: Location) -> str:
        """Where `location` physically is, as seen from the project's physical root."""
        directory, name = parent(location), location.rpartition("/")[2]
        real = self._real_parents.get(directory)
        if real is None:
            real = os.path.realpath(os.path.join(self._root, directory))
            self._real_parents[directory] = real
        if real == self._real_root:
            return name
        if real.startswith(self._beneath):
            return f"{real.removeprefix(self._beneath)}/{name}"
        return os.path.relpath(os.path.join(real, name), self._real_root)


def _is_left_alone(out: Output) -> bool:
    """Whether nothing of ours writes or removes the output: another protocol's, or kept outside."""
    if not is_outside(out.location):
        return False
    return is_url(out.location) or (out.persist and not out.cache)
