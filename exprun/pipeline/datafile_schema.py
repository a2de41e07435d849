"""What may stand in a .dvc file: the rules of ``SINGLE_STAGE_SCHEMA`` of DVC 3.67."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exprun.model.patterns import pattern
from exprun.pipeline.checks import (
    Check,
    anything,
    check_map,
    either,
    fail,
    flag,
    list_of,
    text,
)
from exprun.pipeline.problem import Problem

if TYPE_CHECKING:
    from exprun.pipeline.problem import Path

_OBJECT_NAME = pattern(r"[0-9a-f]{32}(?:\.dir)?")


def check_data_file(document: object) -> None:
    """Raise Problem unless `document` is a .dvc file."""
    check_map(document, (), _DATA_FILE, "a .dvc file")


def _optional(check: Check) -> Check:
    def check_optional(value: object, path: Path) -> None:
        if value is not None:
            check(value, path)

    return check_optional


def _checksum(value: object, path: Path) -> None:
    if value is None or value == "":
        return
    if not isinstance(value, (str, int)) or len(str(value)) < 3:
        fail("a checksum", path)


def _md5(value: object, path: Path) -> None:
    """Stricter than DVC: the name of an object becomes a path in the cache."""
    _checksum(value, path)
    if value and not (isinstance(value, str) and _OBJECT_NAME.fullmatch(value)):
        raise Problem(f"'{value}' is not an MD5", path, hint="write 32 hexadecimal digits")


def _map_with(checks: dict[str, Check], what: str, *required: str) -> Check:
    def check_entry(value: object, path: Path) -> None:
        check_map(value, path, checks, what, required)

    return check_entry


def _cloud(value: Any, path: Path) -> None:
    if not isinstance(value, dict) or len(value) > 1:
        fail("a map of one remote", path)
    for remote, meta in value.items():
        text(remote, (*path, remote))
        check_map(meta, (*path, remote), _CHECKSUMS | _META, "a remote's record")


_CHECKSUMS: dict[str, Check] = {"md5": _md5, "checksum": _checksum, "etag": _checksum}
_number = either(int, expected="a number")
_META: dict[str, Check] = {
    "size": _number,
    "nfiles": _number,
    "isexec": flag,
    "version_id": text,
}
_FILE = _CHECKSUMS | _META | {"relpath": text, "cloud": _cloud}
_ENTRY = (
    _CHECKSUMS
    | _META
    | {
        "path": text,
        "persist": flag,
        "cloud": _cloud,
        "hash": text,
        "files": list_of(_map_with(_FILE, "a file's record", "relpath")),
        "fs_config": either(dict, expected="a map"),
    }
)
_text_or_map = either(str, dict, expected="text or a map")
_REPO: dict[str, Check] = {
    "url": text,
    "rev": text,
    "rev_lock": text,
    "config": _text_or_map,
    "remote": _text_or_map,
}
_DB: dict[str, Check] = dict.fromkeys(("query", "connection", "file_format", "table"), text)
_DEPENDENCY = _ENTRY | {
    "repo": _map_with(_REPO, "the source of an import", "url"),
    "db": _map_with(_DB, "the source of an import"),
}
_OUTPUT = _ENTRY | {
    "desc": text,
    "type": text,
    "labels": list_of(text),
    "meta": anything,
    "cache": flag,
    "remote": text,
    "push": flag,
}
_DATA_FILE: dict[str, Check] = {
    "md5": _checksum,
    "wdir": _optional(text),
    "deps": _optional(list_of(_map_with(_DEPENDENCY, "a dependency"))),
    "outs": _optional(list_of(_map_with(_OUTPUT, "an output"))),
    "locked": flag,
    "frozen": flag,
    "meta": anything,
    "always_changed": flag,
    "desc": text,
}
