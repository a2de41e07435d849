"""Telling whether the links of a directory lead to all its objects, without looking at each.

An object that is added, removed or replaced shows in the directory of the cache that it is in: what
a record tells of one that is as it was need not be found out again.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from exprun.model.lock import Content, Oid
from exprun.model.values import dataclass
from exprun.store.clock import file_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exprun.store.statcache import StatCache

_PARTS = 256
"""So many directories a cache has: of fewer files than that there are no records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The files of the directory `oid`, all of them names of what looks like objects.

    A record of the `fingerprint` tells that they hold what they should; `placement` tells which of
    the inodes is which of the files, and `seen` when they were looked at (`time.monotonic`).
    """

    oid: Oid
    fingerprint: str
    device: int
    inodes: frozenset[int]
    placement: str
    seen: float


def lead_to_objects(
    links: Links, root: str, members: Callable[[], Collection[Oid]], stats: StatCache
) -> bool:
    """Whether each of `members`, the files of the directory, is an object of `root` by a link.

    Raises OSError, and what `members` raises.
    """
    if os.stat(root).st_dev != links.device:
        return False
    keys = _keys(links, root) if len(links.inodes) > _PARTS else {}
    known = {part: found for part, key in keys.items() if (found := stats.directory(key))}
    if known and next(iter(known.values())).size == sum(f.nfiles or 0 for f in known.values()):
        return True
    wanted: dict[str, set[str]] = {}
    for member in members():
        wanted.setdefault(member[:2], set()).add(member[2:])
    total = sum(map(len, wanted.values()))
    for part in wanted.keys() - known.keys():
        with os.scandir(f"{root}/{part}") as entries:
            there = {entry.name for entry in entries if entry.inode() in links.inodes}
        if not there.issuperset(wanted[part]):
            return False
        if part in keys:
            found = Content(oid=links.oid, size=total, nfiles=len(wanted[part]))
            stats.record_directory(keys[part], found)
    return True


def _keys(links: Links, root: str) -> dict[str, str]:
    """The names of records by directory of the cache: of those that show whatever is done to them.

    Such a record has as `nfiles` how many of the objects are there, and as `size` how many there
    are in all.
    """
    started = file_clock()
    keys = {}
    with os.scandir(root) as entries:
        for entry in entries:
            if len(entry.name) == 2 and entry.is_dir():
                found = entry.stat()
                if max(found.st_mtime_ns, found.st_ctime_ns) < started:
                    state = (entry.name, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
                    text = f"{links.fingerprint}{state}".encode()
                    digest = hashlib.blake2b(text, digest_size=16, person=b"links")
                    keys[entry.name] = digest.hexdigest()
    return keys
