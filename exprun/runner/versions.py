"""Directories on a versioned remote, of which a .dvc file lists every file with its version."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from exprun.model.values import replace
from exprun.store.failures import MissingObjects

if TYPE_CHECKING:
    from exprun.model.lock import LockedPath, LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.site import Site


def keep_versions(site: Site, stage: Stage, entry: LockedStage) -> LockedStage:
    """`entry`, which is to be recorded, with a list of files for outputs that have had one.

    As in DVC, files that did not change keep their versions, and only .dvc files have such lists
    once something changed.
    """
    known = None if stage.is_pipeline_stage else site.records.entry(stage)
    if known is None or not any("files" in out.extra for out in known.outs):
        return entry
    lists = {out.path: out.extra.get("files") for out in known.outs}
    locations = {out.path: out.location for out in stage.outs}
    outs = (_listed(site, locations[out.path], out, lists.get(out.path)) for out in entry.outs)
    return replace(entry, outs=tuple(outs))


def _listed(site: Site, location: Location, now: LockedPath, recorded: Any) -> LockedPath:
    if not recorded or now.content is None or not now.content.is_dir:
        return now
    versions = {(file["relpath"], file.get("md5")): file for file in recorded}
    with suppress(MissingObjects, FileNotFoundError):
        files = [
            versions.get((relpath, oid)) or _file(site.path(location), relpath, oid)
            for relpath, oid in site.store.files(now.content).items()
        ]
        return replace(now, extra={"files": files})
    return now


def _file(directory: str, relpath: str, oid: str) -> dict[str, object]:
    found = os.stat(f"{directory}/{relpath}")
    file: dict[str, object] = {"relpath": relpath, "md5": oid, "size": found.st_size}
    return file | ({"isexec": True} if found.st_mode & 0o111 else {})
