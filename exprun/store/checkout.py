"""Making a path of the workspace hold recorded content: linking it from the cache."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.values import dataclass
from exprun.store.failures import MissingObjects
from exprun.store.hashing import EMPTY
from exprun.store.relinking import add_exec
from exprun.store.remembering import remember_directory, remember_file
from exprun.store.removal import remove
from exprun.store.walk import Listing, base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exprun.model.lock import Content, Oid
    from exprun.store.inspecting import Inspector
    from exprun.store.links import Linker, LinkType
    from exprun.store.objects import Objects
    from exprun.store.statcache import StatCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Checks out of one layout of the cache. Thread-safe for different paths."""

    objects: Objects
    inspector: Inspector
    linker: Linker
    stats: StatCache
    seen: Callable[[Content], None] | None = None
    """Told what the inspector would say of the path now, if that is known already."""

    def checkout(self, content: Content, path: str) -> bool:
        """Makes the confined `path` hold `content`; whether it had to change.

        Everything needed is verified before anything is touched. Raises MissingObjects,
        StoreError, OSError.
        """
        if content.is_dir:
            return self._checkout_directory(content, path)
        return self._checkout_file(content, path)

    def unsaved(self, content: Content, path: str) -> str | None:
        """A file at `path` that `checkout` would replace or remove, and the cache does not hold."""
        if not os.path.isdir(path):
            found = self.inspector.content(path)
            lost = found is not None and not self.objects.has(found.oid)
            return path if lost and not content.same_data(found) else None
        wanted = self.objects.manifest(content.oid) if content.is_dir else {}
        oids = self.inspector.hashes(path, self.inspector.listing(path)).oids
        changed = (relpath for relpath, oid in oids.items() if wanted.get(relpath) != oid)
        return next(
            (f"{path}/{each}" for each in changed if not self.objects.has(oids[each])), None
        )

    def _checkout_file(self, content: Content, path: str) -> bool:
        changed = not self._holds(path, content.oid)
        if changed:
            checked = self.objects.verify([content.oid])
            if checked.missing:
                raise MissingObjects(path, checked.missing)
            found = checked.good[content.oid]
            source = self.objects.path(content.oid)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            device = os.stat(os.path.dirname(path)).st_dev
            self.linker.require(source, found, path, device)
            remove(path)
            self.linker.link(source, found, path, device)
            remember_file(self.stats, path, content)
        if content.isexec:
            add_exec(path)
        return changed

    def _holds(self, path: str, oid: Oid) -> bool:
        try:
            found = os.stat(path)
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode):
            return False
        return self.inspector.file(path, found).oid == oid

    def _checkout_directory(self, content: Content, path: str) -> bool:
        present = self._present(path)
        known = self.inspector.recorded(path, present) if present is not None else None
        if known is not None and known.oid == content.oid:
            return False
        files = self.objects.manifest(content.oid)
        if self._link_whole(content, files, path):
            return True
        right = self._right_files(path, present, files)
        wrong = {relpath: oid for relpath, oid in files.items() if relpath not in right}
        states = self._verified(content, files, wrong, path)
        for oid in list(wrong.values())[:1]:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            device = os.stat(os.path.dirname(path)).st_dev
            self.linker.require(self.objects.path(oid), states[oid], path, device)
        if present is None:
            remove(path)
            os.makedirs(path)
        else:
            extra = {*present.files, *present.odd} - right.keys()
            _remove_extra(path, extra)
            if not wrong and not extra:
                return False
        made = self._link_all(path, wrong, states)
        if not _is_all_hardlinks(files, made, states):
            remember_directory(
                self.stats, path, content, files, kept=right, made=made, objects=states
            )
        return True

    def _link_whole(self, content: Content, files: Mapping[str, Oid], path: str) -> bool:
        """Hard-links the directory to where nothing is, if that is all it takes.

        The links have the stats of their objects, so one listing of them verifies all. If it does
        not, they are taken back.
        """
        if os.path.lexists(path) or not self._is_hardlinked(path, files):
            return False
        os.makedirs(path)
        with suppress(OSError, StoreError):
            _hardlink_all(self.objects.root, path, files)
            made = self.inspector.recorded(path, self.inspector.listing(path))
            if made is not None and made.oid == content.oid:
                self.objects.verified[content.oid] = self.inspector.keys[path]
                if self.seen is not None:
                    self.seen(made)
                return True
        remove(path)
        return False

    def _is_hardlinked(self, path: str, files: Mapping[str, Oid]) -> bool:
        try:
            cache = os.stat(self.objects.root).st_dev
            device = os.stat(os.path.dirname(path)).st_dev
        except FileNotFoundError:
            return False
        return self.linker.first(cache, device) == "hardlink" and EMPTY not in files.values()

    def _present(self, path: str) -> Listing | None:
        """The files of a real directory at `path`."""
        try:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                return self.inspector.listing(path)
        except FileNotFoundError:
            pass
        return None

    def _right_files(
        self, path: str, present: Listing | None, files: Mapping[str, Oid]
    ) -> dict[str, os.stat_result]:
        """The files that hold what they should, with their stats."""
        if present is None:
            return {}
        wanted = {r: found for r, found in present.files.items() if r in files}
        oids = self.inspector.hashes(path, Listing(files=wanted)).oids
        return {r: found for r, found in wanted.items() if oids[r] == files[r]}

    def _verified(
        self, content: Content, files: Mapping[str, Oid], wrong: Mapping[str, Oid], path: str
    ) -> Mapping[Oid, os.stat_result]:
        if len(wrong) == len(files):
            checked = self.objects.verify_directory(content.oid)
        else:
            checked = self.objects.verify(wrong.values())
        if checked.missing:
            raise MissingObjects(path, checked.missing)
        return checked.good

    def _link_all(
        self, path: str, files: Mapping[str, Oid], states: Mapping[Oid, os.stat_result]
    ) -> dict[str, LinkType]:
        """Links files below `path`; how each was."""
        device = os.stat(path).st_dev
        root = self.objects.root
        directories = {""}
        made: dict[str, LinkType] = {}
        for relpath, oid in files.items():
            directory = relpath.rpartition("/")[0]
            if directory not in directories:
                _make_directories(path, directory, directories)
            target = f"{path}/{relpath}"
            source = f"{root}/{oid[:2]}/{oid[2:]}"
            try:
                made[relpath] = self.linker.link(source, states[oid], target, device)
            except FileExistsError:
                # An ignored file, a directory or a link to one is in the way.
                remove(target)
                made[relpath] = self.linker.link(source, states[oid], target, device)
        return made


def _hardlink_all(root: str, path: str, files: Mapping[str, Oid]) -> None:
    """Fills the empty directory `path`."""
    directories = {""}
    with base(root) as cache, base(path) as target:
        for relpath, oid in files.items():
            directory = relpath.rpartition("/")[0]
            if directory not in directories:
                _make_directories(path, directory, directories)
            os.link(
                f"{oid[:2]}/{oid[2:]}",
                relpath,
                src_dir_fd=cache,
                dst_dir_fd=target,
                follow_symlinks=False,
            )


def _is_all_hardlinks(
    files: Mapping[str, Oid], made: Mapping[str, LinkType], states: Mapping[Oid, os.stat_result]
) -> bool:
    """Whether verifying the objects has left the very record that the directory needs."""
    return len(made) == len(files) and all(
        kind == "hardlink" and states[files[relpath]].st_size for relpath, kind in made.items()
    )


def _remove_extra(path: str, extra: Iterable[str]) -> None:
    """Removes files below `path`, and the directories this leaves empty."""
    directories = set()
    for relpath in extra:
        remove(f"{path}/{relpath}")
        directories.add(relpath.rpartition("/")[0])
    for directory in sorted(directories, key=len, reverse=True):
        while directory:
            try:
                os.rmdir(f"{path}/{directory}")
            except OSError:
                break
            directory = directory.rpartition("/")[0]


def _make_directories(path: str, directory: str, made: set[str]) -> None:
    """Makes a chain of real directories below `path`: a file or symlink in the way is removed."""
    parent = directory.rpartition("/")[0]
    if parent not in made:
        _make_directories(path, parent, made)
    place = f"{path}/{directory}"
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.lstat(place).st_mode):
            os.unlink(place)
    with suppress(FileExistsError):
        os.mkdir(place)
    made.add(directory)
