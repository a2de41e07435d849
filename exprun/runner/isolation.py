"""One experiment in a workspace of its own, gone again when the experiment has ended."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from anyio import CancelScope

from exprun.git.snapshot import take_snapshot
from exprun.pipeline.datafile import update_data_file
from exprun.runner import threads
from exprun.runner.data_stages import commit_data, ignore_data, remove_left
from exprun.runner.experiment import (
    Prepared,
    carry_out,
    check_out,
    concerned,
    share,
)
from exprun.runner.guard import Guard
from exprun.runner.left_behind import warn_of_left_behind
from exprun.runner.repro import workspace_site
from exprun.runner.slots import SlotPool
from exprun.workspaces.config_local import isolated_config
from exprun.workspaces.copying import copy_path
from exprun.workspaces.isolated import workspace_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exprun.git.experiment_refs import ExperimentRef
    from exprun.git.experiments import Published
    from exprun.model.experiment import ExperimentSpec
    from exprun.runner.opening import Opened
    from exprun.runner.session import Session
    from exprun.runner.sharing import Sharing
    from exprun.runner.site import Site
    from exprun.workspaces.isolated import IsolatedWorkspace, WorkspaceSource


async def run_isolated(session: Session, prepared: Prepared, sharing: Sharing | None) -> Published:
    """Run an experiment beside the user's workspace and store it. Raises as `run_experiment`."""
    opened = session.opened
    tree = await threads.run_sync(snapshot, opened, prepared)
    async with isolated_workspace(opened, prepared.ref.baseline, tree) as workspace:
        cwd = os.path.join(opened.place.root, prepared.spec.options.selection.cwd)
        site, inside = await threads.run_sync(
            set_out_isolated, opened, prepared.spec, prepared.ref, workspace, cwd
        )
        published = await carry_out(
            session, inside, site, guard=Guard(), worktree=workspace.repository, tree=tree
        )
        await share(session.emit, sharing, published, site)
        return published


def snapshot(opened: Opened, prepared: Prepared) -> str:
    """The tree of the user's workspace with the experiment's edits, stored but not written out."""
    edits = dict(prepared.edits)
    site = opened.site(prepared.project, edits=edits)
    for stage, entry in commit_data(site, concerned(prepared)):
        edits[stage.file] = update_data_file(prepared.project.data[stage.file], entry)
    repository = opened.repository
    inside = {repository.inside(site.path(name)): data for name, data in edits.items()}
    tree = take_snapshot(repository, edited=inside)
    warn_of_left_behind(
        opened,
        prepared.project,
        prepared.stages,
        tree,
        repository.objects,
        prepared.spec.copy_paths,
    )
    return tree


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
    prepared = Prepared(opened=there, spec=spec, ref=ref, edits={}, project=project, stages=stages)
    concerning = concerned(prepared)
    remove_left(site, (f"{workspace.root}/{path}" for path in workspace.left), concerning)
    check_out(site, prepared, concerning)
    ignore_data(site, concerning)
    return site, prepared


@asynccontextmanager
async def isolated_workspace(
    opened: Opened, baseline: str, tree: str
) -> AsyncIterator[IsolatedWorkspace]:
    """A workspace of `tree`."""
    slots = SlotPool(opened.place)
    slot = await threads.run_sync(slots.take)
    try:
        source = await threads.run_sync(source_of, opened)
        yield await threads.run_sync(partial(slot.make, source, baseline=baseline, tree=tree))
    finally:
        slots.give_back(slot)
        with CancelScope(shield=True):
            await threads.run_sync(slots.close)


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
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
