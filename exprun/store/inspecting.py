"""What a path of a workspace holds, hashing only what no record knows."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.lock import Content, Oid
from exprun.model.manifest import build_manifest, manifest_oid
from exprun.model.values import dataclass
from exprun.store.clock import horizon
from exprun.store.hashing import hash_file, hash_files
from exprun.store.linked import Links
from exprun.store.modes import ANY_EXEC, OBJECT_MODE
from exprun.store.objects import Objects, weigh
from exprun.store.walk import (
    Listing,
    columns,
    fingerprint,
    list_files,
    list_inodes,
    placement,
    require_regular,
    same_state,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.store.statcache import StatCache
    from exprun.store.walk import IgnoreRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashes:
    """The hash of each file of a listing; `lasting` if every one of them is on record."""

    oids: Mapping[str, Oid]
    lasting: bool


class Inspector:
    """Looks at files and directories. Thread-safe."""

    def __init__(
        self, objects: Objects, stats: StatCache, *, ignore: IgnoreRules | None, jobs: int
    ) -> None:
        self._objects = objects
        self._stats = stats
        self._ignore = ignore
        self._jobs = jobs
        self._legacy = objects.legacy
        self.keys: dict[str, str] = {}
        """The fingerprints of directories, by path, that a record knew when last looked at."""
        self.links: Links | None = None
        """The directory that was looked at last, if a record knew it and all of it was links."""

    def content(self, path: str) -> Content | None:
        """What is at `path`, following a symlink there; None if there is nothing.

        Raises StoreError for special files and for files that change meanwhile, OSError.
        """
        self.keys.pop(path, None)
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(found.st_mode):
            return self.directory(path, self.listing(path))
        if not stat.S_ISREG(found.st_mode):
            raise StoreError("neither a file nor a directory", where=path)
        return self.file(path, found)

    def file(self, path: str, found: os.stat_result) -> Content:
        """The content of a regular file of that stat."""
        oid, now = self.known(found), found
        if oid is None:
            trusted_before = horizon(found.st_mtime_ns, weigh([found]))
            digest, now = hash_file(path, legacy=self._legacy)
            oid = Oid(digest)
            if now.st_mtime_ns < trusted_before:
                self._stats.record_files([(now, oid)], legacy=self._legacy)
        return Content(
            oid=oid,
            size=now.st_size,
            isexec=bool(now.st_mode & ANY_EXEC),
            legacy=self._legacy,
        )

    def known(self, found: os.stat_result) -> Oid | None:
        """The hash on record for a file of that stat."""
        return self.known_all([found])[0]

    def listing(self, path: str) -> Listing:
        """The files of a directory that count."""
        return list_files(path, self._ignore)

    def linked_alike(self, path: str, links: Links, *, mode: int) -> Content | None:
        """The content of the directory `path`, if that has these very links and nothing besides, in
        directories of that mode.
        """
        inodes = list_inodes(path, self._ignore, device=links.device, mode=mode)
        if inodes is None or placement(inodes, inodes.values()) != links.placement:
            return None
        self.links = links
        return self._of_key(path, links.fingerprint)

    def directory(self, path: str, listing: Listing) -> Content:
        """The content of the directory `path`, listed a moment ago."""
        require_regular(listing, path)
        key = fingerprint(listing.files, legacy=self._legacy)
        known = self._recorded(path, key, listing)
        if known is not None:
            return known
        hashes = self.hashes(path, listing)
        oid = manifest_oid(build_manifest(hashes.oids))
        return self.remember(oid, listing, key if hashes.lasting else None)

    def recorded(self, path: str, listing: Listing) -> Content | None:
        """The content of the directory `path`, listed a moment ago, if a record knows it."""
        if listing.odd:
            return None
        return self._recorded(path, fingerprint(listing.files, legacy=self._legacy), listing)

    def _recorded(self, path: str, key: str, listing: Listing) -> Content | None:
        found = self._of_key(path, key)
        self.links = None if found is None else _links(found.oid, key, listing)
        return found

    def _of_key(self, path: str, key: str) -> Content | None:
        self.keys.pop(path, None)
        record = self._stats.directory(key)
        if record is None:
            return None
        self.keys[path] = key
        return Content(oid=record.oid, size=record.size, nfiles=record.nfiles, legacy=self._legacy)

    def remember(self, oid: Oid, listing: Listing, key: str | None) -> Content:
        """The content of a directory that hashed to `oid`, recorded under `key` if there is one."""
        content = Content(
            oid=oid, size=listing.size, nfiles=len(listing.files), legacy=self._legacy
        )
        if key is not None:
            self._stats.record_directory(key, content)
        return content

    def hashes(self, path: str, listing: Listing) -> Hashes:
        """The hash of each file of the directory `path`."""
        oids = dict(zip(listing.files, self.known_all(list(listing.files.values())), strict=True))
        unknown = [relpath for relpath, oid in oids.items() if oid is None]
        states = [listing.files[relpath] for relpath in unknown]
        lasting = True
        if unknown:
            trusted_before = horizon(max(s.st_mtime_ns for s in states), weigh(states))
            hashed = hash_files(
                [f"{path}/{relpath}" for relpath in unknown],
                [state.st_size for state in states],
                legacy=self._legacy,
                jobs=self._jobs,
            )
            oids |= {relpath: Oid(oid) for relpath, (oid, _) in zip(unknown, hashed, strict=True)}
            settled = [(now, Oid(oid)) for oid, now in hashed if now.st_mtime_ns < trusted_before]
            self._stats.record_files(settled, legacy=self._legacy)
            lasting = len(settled) == len(unknown) and all(
                same_state(before, now) for before, (_, now) in zip(states, hashed, strict=True)
            )
        return Hashes(oids={r: oid for r, oid in oids.items() if oid is not None}, lasting=lasting)

    def known_all(self, states: list[os.stat_result]) -> list[Oid | None]:
        """The hash on record for each file of these stats."""
        records = self._stats.files(states, legacy=self._legacy)
        return [
            record.oid
            if record is not None and (record.exact or self._objects.is_object(record.oid, state))
            else None
            for record, state in zip(records, states, strict=True)
        ]


def _links(oid: Oid, key: str, listing: Listing) -> Links | None:
    modes, inodes, devices, links, _ = columns(listing.files.values())
    if set(modes) == {stat.S_IFREG | OBJECT_MODE} and min(links) > 1 and len(set(devices)) == 1:
        return Links(
            oid=oid,
            fingerprint=key,
            device=devices[0],
            inodes=frozenset(inodes),
            placement=placement(listing.files, inodes),
            seen=time.monotonic(),
        )
    return None
