"""A small DVC project, looked at by DVC's own Repo and by a probe of ours."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from exprun.formats.documents import load_params
from exprun.model.lock import Content, Oid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exprun.model.paths import Location


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class DiskProbe:
    """Hashes the files of a directory, with no memory; text of the tests has CRLF or LF only."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def content(self, location: Location, *, legacy: bool) -> Content | None:
        path = self.root / location
        if path.is_dir():
            return self._directory(path, legacy)
        if not path.exists():
            return None
        data = path.read_bytes()
        return Content(
            oid=self._oid(data, legacy),
            size=len(data),
            isexec=os.access(path, os.X_OK),
            legacy=legacy,
        )

    def params(self, location: Location) -> Mapping[str, object] | None:
        path = self.root / location
        return load_params(path.read_bytes(), name=location) if path.exists() else None

    def has_objects(self, content: Content) -> bool:
        cached = self._object(content.oid, content.legacy)
        if not cached.exists():
            return False
        entries = json.loads(cached.read_bytes()) if content.is_dir else []
        return all(self._object(entry["md5"], content.legacy).exists() for entry in entries)

    def _object(self, oid: str, legacy: bool) -> Path:
        cache = self.root / ".dvc" / "cache"
        return (cache if legacy else cache / "files" / "md5") / oid[:2] / oid[2:]

    def _directory(self, path: Path, legacy: bool) -> Content:
        files = sorted(file for file in path.rglob("*") if file.is_file())
        listed = [
            {
                "md5": self._oid(file.read_bytes(), legacy),
                "relpath": file.relative_to(path).as_posix(),
            }
            for file in files
        ]
        listed.sort(key=lambda entry: entry["relpath"])
        size = sum(file.stat().st_size for file in files)
        text = json.dumps(listed, sort_keys=True).encode()
        oid = Oid(_md5(text) + ".dir")
        return Content(oid=oid, size=size, nfiles=len(files), legacy=legacy)

    @staticmethod
    def _oid(data: bytes, legacy: bool) -> Oid:
        return Oid(_md5(data.replace(b"\r\n", b"\n") if legacy else data))
