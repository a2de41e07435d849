"""Outputs that exprun put into a workspace, so that unused ones can be cleared away later.

DVC deletes, on a checkout without targets, what it created itself once it is no longer an output
and as long as nobody has changed it; this is exprun's record of the same.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.store.confine import confine, real_directory
from exprun.store.removal import remove

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exprun.model.lock import Content
    from exprun.store.statcache import StatCache


def remove_unused(
    stats: StatCache,
    root: str,
    used: Collection[str],
    holds: Callable[[str, Content], bool],
) -> list[str]:
    """Removes what was created below `root`, `holds` its content still and is not in `used`.

    Returns the paths removed.
    """
    real_root = real_directory(root)
    in_use = {_physical(path) for path in used}
    removed, gone = [], []
    for place, content in stats.created(real_root):
        if place in in_use:
            continue
        if not os.path.lexists(place):
            gone.append(place)
        elif _is_ours(place, real_root) and holds(place, content):
            remove(place)
            removed.append(place)
    stats.forget_created([*removed, *gone])
    return sorted(removed)


def _physical(path: str) -> str:
    absolute = os.path.abspath(path)
    return os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))


def _is_ours(place: str, root: str) -> bool:
    """Whether the recorded path still leads where it did."""
    with suppress(StoreError):
        return confine(place, root) == place
    return False
