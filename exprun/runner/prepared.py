"""An experiment of which everything is known but what its stages make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import NotAProject, UsageError
from exprun.model.values import dataclass, field
from exprun.runner.data_stages import check_out_outputs, concerned_stages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exprun.git.experiment_refs import ExperimentRef
    from exprun.model.experiment import ExperimentSpec
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.data_stages import RecordedOutput
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project
    from exprun.runner.site import Site


@dataclass(frozen=True, slots=True)
class Edits:
    """The new `contents` of parameter files, and what these hold so far (None: there is none)."""

    contents: dict[Location, bytes] = field(default_factory=dict)
    bases: dict[Location, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An experiment that can be run: its ref is free, its edits are made up, its plan is known.

    `opened` is the project where it is to run.
    """

    opened: Opened
    spec: ExperimentSpec
    ref: ExperimentRef
    project: Project
    stages: Sequence[Stage]
    edits: Edits = field(default_factory=Edits)


def require_git(opened: Opened) -> None:
    """Raises NotAProject if the project is said to do without Git."""
    if opened.config.core.no_scm:
        raise NotAProject(
            "experiments need Git, and core.no_scm turns it off",
            hint="git init && dvc config --unset core.no_scm",
        )


def require_commit(spec: ExperimentSpec) -> None:
    """Raises UsageError if the outputs of an experiment that runs elsewhere would be lost."""
    if not spec.options.commit:
        raise UsageError(
            "outside of the workspace, outputs that are not put into the cache would be lost",
            hint="leave out --no-commit, or run it in the workspace",
        )


def concerned(prepared: Prepared) -> Sequence[Stage]:
    """The stages whose data the experiment may need."""
    return concerned_stages(prepared.project, prepared.spec.options.selection)


def check_out(site: Site, prepared: Prepared, outputs: Iterable[RecordedOutput]) -> None:
    """Bring the `outputs` that the experiment starts from into the workspace."""
    everything = not prepared.spec.options.selection.targets
    check_out_outputs(site, outputs, everything=everything)
