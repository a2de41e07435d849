"""Linking collected outputs back into the workspace, with DVC's rules for what may stay.

A single file is made anew, a file of a directory only if its present link type is not among the
configured ones. A file that would only be replaced by an equal copy stays, with the copy's mode.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.values import dataclass
from exprun.store.links import copy_file
from exprun.store.modes import OWNER_EXEC, Modes
from exprun.store.remembering import remember_directory, remember_file

if TYPE_CHECKING:
    from exprun.model.lock import Content
    from exprun.store.links import Linker, LinkType
    from exprun.store.objects import Objects
    from exprun.store.statcache import StatCache
    from exprun.store.walk import Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Relinker:
    """Relinks to one layout of the cache. Thread-safe."""

    objects: Objects
    linker: Linker
    modes: Modes
    stats: StatCache

    def relink_file(self, path: str, content: Content) -> None:
        """Makes `path`, which holds `content` already, what a checkout would make it."""
        source = self.objects.path(content.oid)
        found = os.lstat(path)
        mode = self._mode_of_copy(found, os.stat(source))
        if mode is not None and not content.isexec:
            if (found.st_mode, found.st_uid) == (stat.S_IFREG | mode, os.geteuid()):
                return  # That is on record already.
        if mode is None or not _set_mode(path, mode):
            self._link_anew(path, source)
        if content.isexec:
            add_exec(path)
        remember_file(self.stats, path, content)

    def relink_directory(
        self, path: str, content: Content, listing: Listing, *, lasting: bool
    ) -> None:
        """The same for the directory `path`, which holds `listing`."""
        if os.path.islink(path):
            # The files are behind a symlink of the stage's making, perhaps not even in the project.
            return
        files = self.objects.manifest(content.oid)
        copies_stay = self.linker.accepts_copies
        wrong = [
            relpath
            for relpath, oid in files.items()
            if not (
                copies_stay
                and listing.files[relpath].st_nlink == 1
                and relpath not in listing.symlinks
            )
            and not self.linker.is_acceptable(f"{path}/{relpath}", self.objects.path(oid))
        ]
        if not wrong:
            return
        objects = {oid: os.stat(self.objects.path(oid)) for oid in {files[r] for r in wrong}}
        made = {r: self._link_anew(f"{path}/{r}", self.objects.path(files[r])) for r in wrong}
        if lasting:
            kept = {r: found for r, found in listing.files.items() if r not in made}
            remember_directory(
                self.stats, path, content, files, kept=kept, made=made, objects=objects
            )

    def _mode_of_copy(self, found: os.stat_result, object_state: os.stat_result) -> int | None:
        """The mode that a plain file gets where a checkout would copy the object; None elsewhere.

        There it is kept.
        """
        if stat.S_ISLNK(found.st_mode) or found.st_nlink > 1:
            return None
        if self.linker.types[0] == "copy":
            return self.modes.file  # Here DVC itself only unprotects.
        if self.linker.first(object_state.st_dev, found.st_dev) == "copy":
            return self.modes.plain_file
        return None

    def _link_anew(self, path: str, source: str) -> LinkType:
        found = os.stat(source)
        device = os.stat(os.path.dirname(path)).st_dev
        with suppress(FileNotFoundError):
            os.unlink(path)
        try:
            return self.linker.link(source, found, path, device)
        except StoreError:
            copy_file(source, path)  # No link type works: what was made stays all the same.
            raise


def _set_mode(path: str, mode: int) -> bool:
    try:
        os.chmod(path, mode)
    except PermissionError:
        # The file is someone else's; a copy will be ours.
        return False
    return True


def add_exec(path: str) -> None:
    """Lets the owner execute `path`: where it is linked, this reaches the object, as with DVC."""
    with suppress(PermissionError):
        os.chmod(path, os.stat(path).st_mode | OWNER_EXEC)
