"""Recording what was just linked or copied into a workspace, so that it is not hashed there."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from exprun.store.clock import WORTH_WAITING, horizon
from exprun.store.walk import fingerprint, same_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.lock import Content, Oid
    from exprun.store.inspecting import Inspector
    from exprun.store.statcache import StatCache


def remember_file(stats: StatCache, path: str, content: Content) -> None:
    """Records a file that was just made to hold `content`."""
    trusted_before = horizon(time.time_ns(), content.size or 0)
    found = os.stat(path)
    if found.st_mtime_ns < trusted_before:
        stats.record_files([(found, content.oid)], legacy=content.legacy)


def remember_directory(
    inspector: Inspector,
    stats: StatCache,
    path: str,
    content: Content,
    files: Mapping[str, Oid],
    *,
    kept: Mapping[str, os.stat_result],
    weight: int,
) -> None:
    """Records a directory that was just made to hold `content`, that is, `files`.

    `kept` has the stats of the files that were right before, for which the records exist.
    """
    if len(kept) < len(files) and weight < WORTH_WAITING:
        return
    trusted_before = horizon(time.time_ns(), weight)
    listing = inspector.listing(path)
    if list(listing.files) != list(files) or listing.odd:
        return
    made = {relpath: found for relpath, found in listing.files.items() if relpath not in kept}
    if any(found.st_mtime_ns >= trusted_before for found in made.values()):
        return
    if not all(same_state(found, listing.files[relpath]) for relpath, found in kept.items()):
        return
    stats.record_files(
        [(found, files[relpath]) for relpath, found in made.items()], legacy=content.legacy
    )
    stats.record_directory(fingerprint(listing.files, legacy=content.legacy), content)
