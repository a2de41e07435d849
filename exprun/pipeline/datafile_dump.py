"""A .dvc file's stage as plain data in DVC's order, and the MD5 it carries.

The order of keys and what counts for the MD5 are those of ``dvc/stage/serialize.py``,
``dvc/stage/utils.py`` and ``Output.dumpd`` of DVC 3.67.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exprun.model.paths import Location, is_outside, parent, spell
from exprun.model.stage import Dependency, Output, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.lock import LockedPath, LockedStage

CONTENT_KEYS = ("md5", "size", "nfiles", "isexec")
META_KEYS = ("version_id", "etag", "checksum", "cloud")


def is_external(item: Dependency | Output) -> bool:
    """Whether DVC takes the item for something outside the project's file tree."""
    if isinstance(item, Dependency) and item.source and item.source.keys() & {"repo", "db"}:
        return True
    return is_outside(item.location)


def stage_md5(stage: Stage, recorded: LockedStage) -> str | None:
    """What the stage says about itself: None unless it is an import."""
    if not stage.is_import:
        return None
    return _md5_of(_dump(stage, recorded))


def dump_stage(stage: Stage, recorded: LockedStage) -> dict[str, object]:
    """The content of the stage's .dvc file, in DVC's order of keys."""
    state = _dump(stage, recorded)
    md5 = stage_md5(stage, recorded)
    ordered = {"desc": state.pop("desc", None), "md5": md5} | state
    return {key: value for key, value in ordered.items() if value}


def _dump(stage: Stage, recorded: LockedStage) -> dict[str, object]:
    wdir = spell(stage.wdir, start=parent(stage.file))
    state: dict[str, object] = {
        "desc": stage.desc,
        "wdir": wdir if wdir != "." else None,
        "frozen": stage.frozen,
        "deps": [
            _dump_dependency(dep, locked, stage.wdir)
            for dep, locked in zip(stage.deps, recorded.deps, strict=True)
        ],
        "outs": [
            _dump_output(out, locked, stage.wdir)
            for out, locked in zip(stage.outs, recorded.outs, strict=True)
        ],
        "always_changed": stage.always_changed,
        "meta": stage.meta,
    }
    return {key: value for key, value in state.items() if value}


def _dump_dependency(dep: Dependency, locked: LockedPath, wdir: Location) -> dict[str, object]:
    source: Mapping[str, Any] = dep.source or {}
    if "db" in source:
        query = {key: value for key, value in source["db"].items() if value}
        return {"db": query} if query else {}
    if repo := source.get("repo"):
        order = ("url", "rev", "rev_lock", "config", "remote")
        return {"path": dep.path, "repo": {key: repo[key] for key in order if repo.get(key)}}
    entry, files = _dump_content(dep, locked, wdir)
    if source.get("fs_config"):
        entry["fs_config"] = source["fs_config"]
    return entry | files


def _dump_output(out: Output, locked: LockedPath, wdir: Location) -> dict[str, object]:
    entry, files = _dump_content(out, locked, wdir)
    options: dict[str, object] = {
        "desc": out.desc,
        "type": out.type,
        "labels": list(out.labels),
        "meta": out.meta,
    }
    entry |= {key: value for key, value in options.items() if value}
    if not out.cache:
        entry["cache"] = False
    if out.persist:
        entry["persist"] = True
    if out.remote:
        entry["remote"] = out.remote
    if not out.push:
        entry["push"] = False
    return entry | files


def _dump_content(
    item: Dependency | Output, locked: LockedPath, wdir: Location
) -> tuple[dict[str, object], dict[str, object]]:
    """The start of an entry, and the list of files that ends it for versioned directories."""
    entry: dict[str, object] = {}
    content, extra = locked.content, locked.extra
    files = {"files": extra["files"]} if "files" in extra else {}
    if content is not None and not files:
        entry["md5"] = content.oid
        if content.size is not None:
            entry["size"] = content.size
        if content.nfiles is not None:
            entry["nfiles"] = content.nfiles
        if content.isexec:
            entry["isexec"] = True
    kept = (*CONTENT_KEYS, *META_KEYS) if content is None else META_KEYS
    entry |= {key: extra[key] for key in kept if extra.get(key) is not None and not files}
    if content is None or not content.legacy:
        entry["hash"] = "md5"
    entry["path"] = item.path if is_external(item) else spell(item.location, start=wdir)
    return entry, files


_NOT_HASHED = frozenset(
    ("desc", "type", "labels", "meta", "locked", "frozen", "metric", "persist")
) | {"isexec", "size", "nfiles"}


def _md5_of(state: dict[str, object]) -> str:
    import hashlib
    import json

    hashed = json.dumps(_hashed(state), sort_keys=True)
    return hashlib.md5(hashed.encode(), usedforsecurity=False).hexdigest()


def _hashed(value: object) -> object:
    if isinstance(value, list):
        return [_hashed(item) for item in value]
    if isinstance(value, dict):
        return {key: _hashed(inner) for key, inner in value.items() if key not in _NOT_HASHED}
    return value
