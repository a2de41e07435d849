"""Recording what was just linked or copied into a workspace, so that it is not hashed there."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from exprun.store.clock import horizon
from exprun.store.objects import weigh
from exprun.store.walk import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.lock import Content, Oid
    from exprun.store.links import LinkType
    from exprun.store.statcache import StatCache


def remember_file(stats: StatCache, path: str, content: Content) -> None:
    """Records a file that was just made to hold `content`."""
    trusted_before = horizon(time.time_ns(), content.size or 0)
    found = os.stat(path)
    if found.st_mtime_ns < trusted_before:
        stats.record_files([(found, content.oid)], legacy=content.legacy)


def remember_directory(
    stats: StatCache,
    path: str,
    content: Content,
    files: Mapping[str, Oid],
    *,
    kept: Mapping[str, os.stat_result],
    made: Mapping[str, LinkType],
    objects: Mapping[Oid, os.stat_result],
) -> None:
    """Records a directory that was just made to hold `content`, that is, `files`.

    `kept` has the stats of the files that were right before and are on record; `made` tells how
    the others were linked, `objects` what their objects' stats were.
    """
    fresh = [
        relpath for relpath in made if not _shares_inode(made[relpath], objects[files[relpath]])
    ]
    trusted_before = horizon(time.time_ns(), weigh(objects[files[relpath]] for relpath in fresh))
    copies = {relpath: os.stat(f"{path}/{relpath}") for relpath in fresh}
    if any(found.st_mtime_ns >= trusted_before for found in copies.values()):
        return
    stats.record_files(
        [(found, files[relpath]) for relpath, found in copies.items()], legacy=content.legacy
    )
    states = {
        relpath: kept.get(relpath) or copies.get(relpath) or objects[oid]
        for relpath, oid in files.items()
    }
    hardlinked = {relpath for relpath, kind in made.items() if kind == "hardlink"}
    key = fingerprint(states, legacy=content.legacy, hardlinked=hardlinked)
    stats.record_directory(key, content)


def _shares_inode(kind: LinkType, found: os.stat_result) -> bool:
    return kind == "symlink" or (kind == "hardlink" and found.st_size > 0)
