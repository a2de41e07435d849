"""Directory manifests: the ``.dir`` objects of a DVC cache.

`exprun.model.manifest` has the format, and what writes it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.lock import Oid
from exprun.model.patterns import pattern
from exprun.store.confine import is_safe_relpath

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MAX_BYTES = 512 * 1024 * 1024
"""No manifest larger than this is read; DVC has some 100 bytes per file."""

_OID = pattern(r"[0-9a-f]{32}(\.dir)?")
_FILE_OID = pattern(r"[0-9a-f]{32}")
_FILE_OIDS = pattern(r"(?:[0-9a-f]{32}\n)*+")

_NOT_SIMPLE = pattern(r"\n[/.\n]|/[/.\n]|\0")
"""In relative paths, one a line: a part that is empty or begins with a dot."""


def is_oid(text: str) -> bool:
    """Whether `text` can name an object, and so be part of a path."""
    return _OID.fullmatch(text) is not None


def parse_manifest(data: bytes, *, where: str) -> dict[str, Oid]:
    """The files of a directory by relative path, in order.

    Raises StoreError if `data` is no manifest, or names a file outside its directory.
    """
    try:
        entries = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StoreError("the directory manifest is not JSON", where=where) from error
    if not isinstance(entries, list):
        raise StoreError("the directory manifest is not a list", where=where)
    files = _simple_files(entries)
    if files is None:
        files = dict(_parse_entry(entry, where) for entry in entries)
    _require_tree(files, len(entries), where)
    names = list(files)
    in_order = sorted(names)
    return files if names == in_order else {relpath: files[relpath] for relpath in in_order}


def require_safe(relpaths: Collection[str], *, where: str) -> None:
    """Raises StoreError if `parse_manifest` would, of a manifest that names these."""
    if not _are_simple(relpaths):
        for relpath in relpaths:
            _require_safe(relpath, where)


def _simple_files(entries: list[object]) -> dict[str, Oid] | None:
    """The files, if it takes two searches to see that every entry is sound."""
    try:
        files = {entry["relpath"]: entry["md5"] for entry in entries}  # type: ignore[index]
        is_simple = _are_simple(files)
        oids = "\n".join([*files.values(), ""])
    except (TypeError, KeyError):
        return None
    return files if is_simple and _FILE_OIDS.fullmatch(oids) else None


def _are_simple(relpaths: Collection[str]) -> bool:
    """Whether it takes one search to see that all are safe."""
    names = "\n".join(["", *relpaths, ""])
    return names.count("\n") == len(relpaths) + 1 and not _NOT_SIMPLE.search(names)


def _parse_entry(entry: object, where: str) -> tuple[str, Oid]:
    oid = entry.get("md5") if isinstance(entry, dict) else None
    relpath = entry.get("relpath") if isinstance(entry, dict) else None
    if not isinstance(oid, str) or not isinstance(relpath, str):
        raise StoreError("the directory manifest has an entry without md5 or relpath", where=where)
    if not _FILE_OID.fullmatch(oid):
        raise StoreError(f"the directory manifest has a bad hash {oid!r}", where=where)
    _require_safe(relpath, where)
    return relpath, Oid(oid)


def _require_safe(relpath: str, where: str) -> None:
    if not is_safe_relpath(relpath):
        raise StoreError(
            f"the directory manifest names {relpath!r}, outside its directory or in .git",
            where=where,
        )


def _require_tree(files: Mapping[str, Oid], entries: int, where: str) -> None:
    directories = {relpath.rpartition("/")[0] for relpath in files if "/" in relpath}
    for directory in tuple(directories):
        while (directory := directory.rpartition("/")[0]) and directory not in directories:
            directories.add(directory)
    if len(files) != entries or not directories.isdisjoint(files):
        raise StoreError("the directory manifest names a path twice", where=where)
