"""DVC's own data library doing what the store does, for comparing."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dvc_data.hashfile import load
from dvc_data.hashfile.build import build
from dvc_data.hashfile.checkout import checkout
from dvc_data.hashfile.db.local import LocalHashFileDB
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.transfer import transfer
from dvc_objects.fs.local import localfs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exprun.store import IgnoreRules


@dataclass(frozen=True)
class Dvc:
    """DVC's cache under `cache_dir`."""

    cache_dir: str
    types: Sequence[str] = ("reflink", "copy")
    shared: str | None = None
    legacy: bool = False

    @property
    def name(self) -> str:
        return "md5-dos2unix" if self.legacy else "md5"

    def odb(self) -> Any:
        root = self.cache_dir if self.legacy else os.path.join(self.cache_dir, "files", "md5")
        return LocalHashFileDB(
            localfs, root, type=list(self.types), shared=self.shared, hash_name=self.name
        )

    def hash(self, path: str, ignore: IgnoreRules | None = None) -> tuple[str, int, int | None]:
        """The oid, size and nfiles of what is at `path`."""
        _, meta, obj = build(
            self.odb(), path, localfs, self.name, dry_run=True, ignore=_as_dvc(ignore)
        )
        return obj.hash_info.value, meta.size, meta.nfiles

    def commit(self, path: str, *, isexec: bool = False) -> str:
        """What `Output.commit` of DVC does; the oid."""
        odb = self.odb()
        hardlink = self.types[0] == "hardlink"
        staging, _, obj = build(odb, path, localfs, self.name)
        transfer(staging, odb, {obj.hash_info}, shallow=False, hardlink=hardlink)
        checkout(path, localfs, obj, odb, relink=True, old=obj)
        if isexec:
            odb.set_exec(path)
        return str(obj.hash_info.value)

    def checkout(self, oid: str, path: str) -> None:
        """What `Output.checkout(force=True)` of DVC does."""
        odb = self.odb()
        checkout(path, localfs, load(odb, HashInfo(self.name, oid)), odb, force=True)


class _DvcIgnore:
    def __init__(self, rules: IgnoreRules) -> None:
        self.rules = rules

    def walk(self, fs: Any, path: str, **kwargs: Any) -> Any:
        for root, dirs, files in os.walk(path):
            dirs[:], files[:] = self.rules.filter(root, dirs, files)
            yield root, dirs, files


def _as_dvc(rules: IgnoreRules | None) -> Any:
    return None if rules is None else _DvcIgnore(rules)


def picture(root: Path | str) -> dict[str, tuple[str, int, str]]:
    """Every path below `root`: its kind, mode, and content or target."""
    seen: dict[str, tuple[str, int, str]] = {}
    for directory, dirs, files in os.walk(root):
        for name in (*dirs, *files):
            path = os.path.join(directory, name)
            found = os.lstat(path)
            mode = stat.S_IMODE(found.st_mode)
            relpath = os.path.relpath(path, root)
            if stat.S_ISLNK(found.st_mode):
                seen[relpath] = ("link", 0, os.readlink(path))
            elif stat.S_ISDIR(found.st_mode):
                seen[relpath] = ("directory", mode, "")
            else:
                with open(path, "rb") as file:
                    text = file.read().decode("latin-1")
                kind = "hardlink" if found.st_nlink > 1 else "file"
                seen[relpath] = (kind, mode, text)
    return seen
