"""Telling whether what was once checked out is still just that, and nothing besides."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from exprun.model.values import dataclass
from exprun.store.modes import OBJECT_MODE

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from exprun.model.lock import Content, Oid
    from exprun.store.inspecting import Inspector
    from exprun.store.linked import Links
    from exprun.store.links import LinkType
    from exprun.store.modes import Modes
    from exprun.store.objects import Objects

_RECENT_S = 10.0
"""For so long, what was seen need not be looked at again before a stage reads it. That only spares
work: what has changed meanwhile, or does while the stage runs, is found once its commands have
ended, when all that they have read is looked at file by file.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intactness:
    """Knows how a path looks that was checked out of one layout of the cache."""

    objects: Objects
    inspector: Inspector
    modes: Modes
    types: Container[LinkType]
    """How files may be linked."""
    copies: bool
    """Whether they may be copies; empty ones always may, as that is what is made of them."""
    links: Links | None
    """The directory that was looked at last in another workspace, if all of it was links."""

    def intact(self, content: Content, path: str) -> Content | None:
        """What is at `path`, if that is `content`, with the names and modes of a check-out.

        What counts for no content (empty directories, ignored files) must not be there either.
        Raises StoreError, OSError.
        """
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode):
            now = self._directory(content, path) if content.is_dir else None
        elif stat.S_ISLNK(found.st_mode):
            now = self.inspector.content(path) if self._is_link(path, content.oid) else None
        else:
            is_right = self._is_plain(found) and not content.isexec
            now = self.inspector.content(path) if is_right else None
        return now if content.same_data(now) else None

    def _directory(self, content: Content, path: str) -> Content | None:
        directory_mode = stat.S_IFDIR | 0o777 & ~self.modes.umask
        if self.links is not None and self._tells_of(self.links, content):
            now = self.inspector.linked_alike(path, self.links, mode=directory_mode)
            if now is not None:
                return now
        listing = self.inspector.listing(path)
        files = self.objects.manifest(content.oid)
        is_right = (
            listing.files.keys() == files.keys()
            and listing.directories.keys() == _directories(files)
            and set(listing.directories.values()) == {directory_mode}
            and not listing.odd
            and not listing.skips
            and all(
                self._is_link(f"{path}/{relpath}", files[relpath])
                if relpath in listing.symlinks
                else self._is_plain(found)
                for relpath, found in listing.files.items()
            )
        )
        return self.inspector.directory(path, listing) if is_right else None

    def _tells_of(self, links: Links, content: Content) -> bool:
        """Whether what `links` showed but now holds for other names of the same files."""
        is_recent = time.monotonic() - links.seen < _RECENT_S
        return is_recent and links.oid == content.oid and "hardlink" in self.types

    def _is_plain(self, found: os.stat_result) -> bool:
        """Whether a file is a copy or a hard link."""
        if found.st_nlink > 1:
            return "hardlink" in self.types and found.st_mode == stat.S_IFREG | OBJECT_MODE
        may_be_copy = self.copies or not found.st_size
        return may_be_copy and found.st_mode == stat.S_IFREG | self.modes.plain_file

    def _is_link(self, path: str, oid: Oid) -> bool:
        return "symlink" in self.types and os.readlink(path) == self.objects.path(oid)


def _directories(files: Iterable[str]) -> set[str]:
    """The directories that files are in, and those above."""
    found = {""}
    for directory in {relpath.rpartition("/")[0] for relpath in files}:
        while directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found
