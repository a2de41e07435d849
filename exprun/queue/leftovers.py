"""The directories that attempts and batches leave behind, removed when nothing needs them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_LOGS_KEPT = 200


def remove_unneeded(
    directory: str, needed: Collection[str], is_alive: Callable[[str], bool]
) -> None:
    """Remove what is in `directory`, except for what is needed or whose maker is alive."""
    if os.path.isdir(directory):
        for name in set(os.listdir(directory)).difference(needed):
            if not is_alive(name):
                remove_tree(os.path.join(directory, name))


def remove_old_logs(directory: str, needed: Collection[str]) -> None:
    """Of what was not run from the queue, keep the latest logs and those that are needed."""
    if os.path.isdir(directory):
        found = sorted(os.scandir(directory), key=lambda entry: entry.stat().st_mtime)
        for entry in found[:-_LOGS_KEPT]:
            if entry.name not in needed:
                remove_tree(entry.path)


def remove_tree(path: str) -> None:
    """Delete a directory, as far as that can be done."""
    import shutil  # Most commands need none of what that imports.

    shutil.rmtree(path, ignore_errors=True)
