"""Making an isolated workspace what an experiment starts from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.content import only_files
from exprun.runner.data_stages import check_out_outputs, ignore_data, recorded_outputs, remove_left
from exprun.runner.needs import requirements_of
from exprun.runner.prepared import Prepared, concerned
from exprun.runner.repro import workspace_site
from exprun.workspaces.config_local import isolated_config
from exprun.workspaces.copying import copy_path
from exprun.workspaces.isolated import workspace_source

if TYPE_CHECKING:
    from exprun.git.experiment_refs import ExperimentRef
    from exprun.git.repository import Repository
    from exprun.model.experiment import ExperimentSpec
    from exprun.runner.opening import Opened
    from exprun.runner.site import Site
    from exprun.workspaces.isolated import IsolatedWorkspace, Slot, WorkspaceSource


def set_out_isolated(
    opened: Opened,
    spec: ExperimentSpec,
    ref: ExperimentRef,
    workspace: IsolatedWorkspace,
    copies_from: str,
) -> tuple[Site, Prepared]:
    """Make the isolated workspace what the experiment starts from.

    The paths to copy are in `copies_from`. Raises UsageError and ProjectError.
    """
    root = os.path.normpath(os.path.join(workspace.root, opened.place.prefix))
    for path in spec.copy_paths:
        copy_path(path, source=copies_from, root=root)
    there = opened.at(root, workspace.repository)
    project = there.load()
    stages = project.plan(spec.options.selection)
    site = workspace_site(there, project, disposable=True)
    prepared = Prepared(opened=there, spec=spec, ref=ref, project=project, stages=stages)
    concerning = concerned(prepared)
    outputs = list(recorded_outputs(site, concerning))
    remove_left(site, (f"{workspace.root}/{path}" for path in workspace.left), outputs)
    # Nothing else is left in a slot, so there is nothing to remove that no stage names.
    check_out_outputs(site, outputs, everything=False)
    ignore_data(site, concerning)
    return site, prepared


def leave_outputs(slot: Slot, repository: Repository, site: Site) -> None:
    """Have the outputs that other experiments may have in common left in the slot.

    If a stage allows daemons there are none: those may have files open, which must not become
    another experiment's.
    """
    stages = site.project.stages
    if any(requirements_of(stage).allow_daemons for stage in stages):
        return
    slot.leave(
        repository.inside(site.path(out.location))
        for stage in stages
        for out in stage.outs
        if out.is_kept_in_cache
    )


def source_of(opened: Opened) -> WorkspaceSource:
    """What isolated workspaces of a project are made from, for any number of them."""
    config = os.path.join(opened.place.prefix, ".dvc", "config.local")
    return workspace_source(opened.repository, extra_files={config: _config_local(opened)})


def _config_local(opened: Opened) -> bytes:
    directory = opened.place.dvc_dir
    text = isolated_config(
        _read(os.path.join(directory, "config.local")),
        _read(os.path.join(directory, "config")),
        directory=directory,
        cache_dir=opened.config.cache.dir,
    )
    return text.encode()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", opener=only_files) as file:
            return file.read()
    except FileNotFoundError:
        return ""
