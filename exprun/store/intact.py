"""Telling whether what was once checked out is still just that, and nothing besides."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from exprun.model.values import dataclass
from exprun.store.modes import OBJECT_MODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.lock import Content, Oid
    from exprun.store.modes import Modes
    from exprun.store.objects import Objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Intactness:
    """Knows how a path looks that was checked out of one layout of the cache."""

    objects: Objects
    modes: Modes

    def is_intact(self, content: Content, path: str) -> bool:
        """Whether the names and modes at `path`, which holds `content`, are those of a check-out.

        What counts for no content (empty directories, ignored files) must not be there either.
        Raises OSError.
        """
        if content.is_dir:
            return self._is_directory(path, self.objects.manifest(content.oid))
        found = os.lstat(path)
        is_plain = (found.st_mode, found.st_nlink > 1) in self._plain
        return (is_plain and not content.isexec) or self._is_symlink(found, path, content.oid)

    def _is_directory(self, path: str, files: Mapping[str, Oid]) -> bool:
        plain, directory = self._plain, stat.S_IFDIR | 0o777 & ~self.modes.umask
        directories = {name[:at] for name in files for at in _slashes(name)}
        if os.lstat(path).st_mode != directory:
            return False
        seen = 0
        pending = [""]
        while pending:
            prefix = pending.pop()
            with os.scandir(f"{path}/{prefix}") as entries:
                for entry in entries:
                    relpath = prefix + entry.name
                    found = entry.stat(follow_symlinks=False)
                    if found.st_mode == directory and relpath in directories:
                        pending.append(f"{relpath}/")
                    elif (oid := files.get(relpath)) is not None and (
                        (found.st_mode, found.st_nlink > 1) in plain
                        or self._is_symlink(found, entry.path, oid)
                    ):
                        seen += 1
                    else:
                        return False
        return seen == len(files)

    @property
    def _plain(self) -> frozenset[tuple[int, bool]]:
        """The modes of copies, and those of hard links."""
        copies = stat.S_IFREG | self.modes.plain_file
        return frozenset({(copies, False), (stat.S_IFREG | OBJECT_MODE, True)})

    def _is_symlink(self, found: os.stat_result, path: str, oid: Oid) -> bool:
        return stat.S_ISLNK(found.st_mode) and os.readlink(path) == self.objects.path(oid)


def _slashes(path: str) -> list[int]:
    return [at for at, char in enumerate(path) if char == "/"]
