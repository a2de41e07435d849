"""A workspace of its own for one experiment, gone again when the experiment has ended."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from anyio import CancelScope

from exprun.runner import threads
from exprun.runner.slots import SlotPool
from exprun.workspaces.config_local import isolated_config
from exprun.workspaces.isolated import workspace_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exprun.git.repository import Repository
    from exprun.runner.opening import Opened
    from exprun.workspaces.isolated import IsolatedWorkspace, WorkspaceSource


@asynccontextmanager
async def isolated_workspace(
    opened: Opened, baseline: str, tree: str
) -> AsyncIterator[tuple[Repository, str]]:
    """A worktree of `tree` with a repository of its own; that, and the project's root in it."""
    slots = SlotPool(opened.place)
    slot = await threads.run_sync(slots.take)
    try:
        source = await threads.run_sync(source_of, opened)
        workspace = await threads.run_sync(partial(slot.make, source, baseline=baseline, tree=tree))
        yield workspace.repository, project_root(opened, workspace)
    finally:
        slots.give_back(slot)
        with CancelScope(shield=True):
            await threads.run_sync(slots.close)


def source_of(opened: Opened) -> WorkspaceSource:
    """What isolated workspaces of a project are made from, for any number of them."""
    config = os.path.join(opened.place.prefix, ".dvc", "config.local")
    return workspace_source(opened.repository, extra_files={config: _config_local(opened)})


def project_root(opened: Opened, workspace: IsolatedWorkspace) -> str:
    """Where the project is in an isolated workspace."""
    return os.path.normpath(os.path.join(workspace.root, opened.place.prefix))


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
