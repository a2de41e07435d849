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
from exprun.runner.carrying_out import carry_out
from exprun.runner.data_stages import commit_data
from exprun.runner.guard import Guard
from exprun.runner.left_behind import warn_of_left_behind
from exprun.runner.prepared import Prepared, concerned
from exprun.runner.recording import recorded
from exprun.runner.setting_out import leave_outputs, set_out_isolated, source_of
from exprun.runner.sharing import share
from exprun.runner.slots import SlotPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exprun.git.experiments import Published
    from exprun.runner.opening import Opened
    from exprun.runner.session import Session
    from exprun.runner.sharing import Sharing
    from exprun.workspaces.isolated import IsolatedWorkspace, Slot


async def run_isolated(session: Session, prepared: Prepared, sharing: Sharing | None) -> Published:
    """Run an experiment beside the user's workspace and store it. Raises as `run_experiment`."""
    opened = session.opened
    tree = await threads.run_sync(snapshot, opened, prepared)
    async with _workspace(opened, prepared, tree) as (slot, workspace):
        cwd = os.path.join(opened.place.root, prepared.spec.options.selection.cwd)
        site, inside = await threads.run_sync(
            set_out_isolated, opened, prepared.spec, prepared.ref, workspace, cwd
        )
        with recorded(session, inside) as begin:
            published = await carry_out(
                session,
                inside,
                site,
                guard=Guard(),
                worktree=workspace.repository,
                recording=await threads.run_sync(begin, tree),
            )
        await share(session, sharing, published, site)
        leave_outputs(slot, workspace.repository, site)
        return published


def snapshot(opened: Opened, prepared: Prepared) -> str:
    """The tree of the user's workspace with the experiment's edits, stored but not written out."""
    edits = dict(prepared.edits.contents)
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


@asynccontextmanager
async def _workspace(
    opened: Opened, prepared: Prepared, tree: str
) -> AsyncIterator[tuple[Slot, IsolatedWorkspace]]:
    """A slot with a workspace of `tree` in it."""
    slots = SlotPool(opened.place, opened.warn)
    slot = await threads.run_sync(slots.take)
    try:
        if prepared.spec.copy_paths:
            slot.leave(())  # They may go to what was left.
        source = await threads.run_sync(source_of, opened)
        make = partial(slot.make, source, baseline=prepared.ref.baseline, tree=tree)
        yield slot, await threads.run_sync(make)
    finally:
        slots.give_back(slot)
        with CancelScope(shield=True):
            await threads.run_sync(slots.close, opened.store)
