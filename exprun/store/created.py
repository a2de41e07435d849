"""Outputs that exprun put into a workspace, so that unused ones can be cleared away later.

DVC deletes, on a checkout without targets, what it created itself once it is no longer an output
and as long as nobody has changed it; this is exprun's record of the same.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.store.confine import confine
from exprun.store.removal import remove
from exprun.store.walk import Listing, fingerprint

if TYPE_CHECKING:
    from collections.abc import Collection

    from exprun.store.inspecting import Inspector
    from exprun.store.statcache import StatCache


class Creations:
    """The outputs created, and as what. Thread-safe."""

    def __init__(self, stats: StatCache, inspector: Inspector) -> None:
        self._stats = stats
        self._inspector = inspector

    def record(self, place: str) -> None:
        """Remembers the present state of the confined path `place` as made by us."""
        token = self._token(place)
        if token is not None:
            self._stats.record_created(place, token)

    def forget(self, place: str) -> None:
        """Forgets `place`, which was removed."""
        self._stats.forget_created([place])

    def remove_unused(self, root: str, used: Collection[str]) -> list[str]:
        """Removes the unmodified creations below `root` whose absolute path is not in `used`.

        Returns the paths removed.
        """
        real_root = os.path.realpath(root)
        in_use = {os.path.realpath(os.path.dirname(p)) + "/" + os.path.basename(p) for p in used}
        removed, gone = [], []
        for place, token in self._stats.created():
            if place in in_use or not place.startswith(real_root + os.sep):
                continue
            if not os.path.lexists(place):
                gone.append(place)
            elif self._is_ours_to_remove(place, token, real_root):
                remove(place)
                removed.append(place)
        self._stats.forget_created([*removed, *gone])
        return sorted(removed)

    def _is_ours_to_remove(self, place: str, token: str, root: str) -> bool:
        with suppress(StoreError, OSError):
            return confine(place, root) == place and self._token(place) == token
        return False

    def _token(self, place: str) -> str | None:
        with suppress(FileNotFoundError):
            found = os.lstat(place)
            if stat.S_ISDIR(found.st_mode):
                listing = self._inspector.listing(place)
                return None if listing.odd else fingerprint(listing.files)
            return fingerprint(Listing(files={"": os.stat(place)}).files)
        return None
