"""A workspace of its own for one experiment, gone again when the experiment has ended."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exprun.errors import ExecutorError
from exprun.workspaces.config_local import isolated_config
from exprun.workspaces.isolated import LOCATION, open_slot, workspace_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.git.repository import Repository
    from exprun.runner.opening import Opened


@contextmanager
def isolated_workspace(
    opened: Opened, baseline: str, tree: str
) -> Iterator[tuple[Repository, str]]:
    """A worktree of `tree` with a repository of its own; that, and the project's root in it."""
    place = opened.place
    prefix = place.prefix
    slots = os.path.join(place.tmp_dir, "exps", LOCATION)
    slot = open_slot(os.path.join(slots, secrets.token_hex(4)))
    if slot is None:
        raise ExecutorError("a new workspace is in use already", where=slots)
    source = workspace_source(
        opened.repository,
        extra_files={os.path.join(prefix, ".dvc", "config.local"): _config_local(opened)},
    )
    with slot:
        workspace = slot.make(source, baseline=baseline, tree=tree)
        try:
            yield workspace.repository, os.path.normpath(os.path.join(workspace.root, prefix))
        finally:
            slot.remove()


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
