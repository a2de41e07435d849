"""What the entries of dvc.lock and of .dvc files tell of the content of a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exprun.model.lock import Content, Oid
from exprun.model.manifest import build_manifest, manifest_oid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def recorded_content(entry: Mapping[str, Any], *, legacy: bool) -> Content | None:
    """What an entry of dvc.lock or a .dvc file tells of a path's content; None if it tells nothing
    that is known here. Whether an MD5 is a `legacy` one differs between the two.
    """
    if entry.get("hash") not in (None, "md5"):
        return None
    if files := entry.get("files"):
        return _listed_content(files, legacy=legacy)
    if not entry.get("md5"):
        return None
    return Content(
        oid=Oid(entry["md5"]),
        size=entry.get("size"),
        nfiles=entry.get("nfiles"),
        isexec=entry.get("isexec", False),
        legacy=legacy,
    )


def _listed_content(files: Sequence[Mapping[str, Any]], *, legacy: bool) -> Content | None:
    """The directory of which an entry records every file, as of those on a versioned remote.

    None if the entry does not tell what they hold.
    """
    if not all(file.get("md5") for file in files):
        return None
    return Content(
        oid=manifest_oid(build_manifest({file["relpath"]: file["md5"] for file in files})),
        size=sum(file.get("size") or 0 for file in files),
        nfiles=len(files),
        legacy=legacy,
    )
