"""Bringing outputs into the cache and relinking the workspace, as ``dvc commit`` does."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.lock import Content, Oid
from exprun.model.manifest import build_manifest, manifest_oid
from exprun.model.values import dataclass
from exprun.store.clock import file_clock, horizon
from exprun.store.hashing import LARGE, hash_bytes, hash_files, read_file, same_data
from exprun.store.modes import ANY_EXEC
from exprun.store.objects import weigh
from exprun.store.walk import Listing, fingerprint, require_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.store.adding import Adder
    from exprun.store.inspecting import Inspector
    from exprun.store.links import Linker
    from exprun.store.objects import Objects
    from exprun.store.relinking import Relinker
    from exprun.store.statcache import StatCache


_SMALL = 16 * 1024
"""To read and hash so few bytes costs less than to ask what is known of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Collects into one layout of the cache. Thread-safe."""

    inspector: Inspector
    objects: Objects
    adder: Adder
    linker: Linker
    """How files get into the cache: never by symlink."""
    relinker: Relinker | None
    """None leaves the workspace as it is."""
    stats: StatCache
    jobs: int

    def collect(self, path: str) -> Content:
        """Adds what is at `path` to the cache and links it back; what it was.

        Raises FileNotFoundError if there is nothing, StoreError, OSError.
        """
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            return self._collect_directory(path)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError("neither a file nor a directory", where=path)
        return self._collect_file(path, found)

    def _collect_file(self, path: str, found: os.stat_result) -> Content:
        if found.st_size <= _SMALL and "hardlink" not in self.linker.types:
            oid, state = self._add_small_file(path)
        else:
            added = self._add_files(path, {"": found})
            oid, state = added.oids[""], added.states[""]
        content = Content(
            oid=oid,
            size=state.st_size,
            isexec=bool(found.st_mode & ANY_EXEC),
            legacy=self.objects.legacy,
        )
        if self.relinker is not None:
            self.relinker.relink_file(path, content)
        return content

    def _collect_directory(self, path: str) -> Content:
        listing = self.inspector.listing(path)
        require_regular(listing, path)
        key = fingerprint(listing.files, legacy=self.objects.legacy)
        record = self.stats.directory(key)
        if record is not None and not self.objects.verify_directory(record.oid).missing:
            content = self.inspector.remember(record.oid, listing, None)
            if self.relinker is not None:
                self.relinker.relink_directory(path, content, listing, lasting=True)
            return content
        added = self._add_files(path, listing.files)
        manifest = build_manifest(added.oids)
        oid = manifest_oid(manifest)
        self.adder.add_bytes(oid, manifest)
        self.objects.know_manifest(oid, added.oids)
        listing = Listing(files=added.states, symlinks=listing.symlinks)
        # Hard-linking files into the cache has changed their stats.
        key = fingerprint(listing.files, legacy=self.objects.legacy)
        content = self.inspector.remember(oid, listing, key if added.lasting else None)
        if self.relinker is not None:
            self.relinker.relink_directory(path, content, listing, lasting=added.lasting)
        return content

    def _add_small_file(self, path: str) -> tuple[Oid, os.stat_result]:
        """Adds a file as it is now; its hash and stat."""
        started = file_clock()
        data, state = read_file(path)
        oid = Oid(hash_bytes(data, legacy=self.objects.legacy))
        self.adder.add_bytes(oid, data)
        if state.st_mtime_ns < started:
            self.stats.record_files([(state, oid)], legacy=self.objects.legacy)
        return oid, state

    def _add_files(self, path: str, files: Mapping[str, os.stat_result]) -> _Added:
        """Adds the files of `path` by relative path; ``""`` is `path` itself."""
        batch = _Batch(self, path, files)
        batch.hash()
        batch.add()
        return batch.finish()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added:
    oids: dict[str, Oid]
    states: Mapping[str, os.stat_result]
    lasting: bool
    """Whether every file is on record under that stat."""


class _Batch:
    """One collection under way."""

    def __init__(self, owner: Collector, path: str, files: Mapping[str, os.stat_result]) -> None:
        self.owner = owner
        self.path = path
        self.files = files
        self.legacy = owner.objects.legacy
        self.linked_from = 0 if "hardlink" in owner.linker.types else LARGE
        """From this size on files are added by link."""
        self.oids: dict[str, Oid] = {}
        self.states = dict(files)
        self.hashed: dict[str, os.stat_result] = {}
        self.created: list[tuple[os.stat_result, Oid]] = []
        known = owner.inspector.known_all(list(files.values()))
        self.oids = {r: oid for r, oid in zip(files, known, strict=True) if oid is not None}
        unknown = [state for r, state in files.items() if r not in self.oids]
        newest = max([state.st_mtime_ns for state in unknown], default=0)
        self.trusted_before = horizon(newest, weigh(unknown))

    def place(self, relpath: str) -> str:
        return f"{self.path}/{relpath}" if relpath else self.path

    def hash(self) -> None:
        """Hashes what is not hashed while it is added."""
        wanted = [
            relpath
            for relpath, found in self.files.items()
            if relpath not in self.oids and found.st_size >= self.linked_from
        ]
        hashed = hash_files(
            [self.place(relpath) for relpath in wanted],
            [self.files[relpath].st_size for relpath in wanted],
            legacy=self.legacy,
            jobs=self.owner.jobs,
        )
        for relpath, (oid, state) in zip(wanted, hashed, strict=True):
            self._note(relpath, Oid(oid), state)

    def add(self) -> None:
        present = self.owner.objects.verify(self.oids.values()).good
        for relpath, found in self.files.items():
            if self.oids.get(relpath) in present:
                continue
            if found.st_size >= self.linked_from:
                self._add_by_link(relpath)
            else:
                self._add_bytes(relpath)

    def finish(self) -> _Added:
        stats, legacy = self.owner.stats, self.legacy
        settled = {
            relpath: state
            for relpath, state in self.hashed.items()
            if state.st_mtime_ns < self.trusted_before
        }
        stats.record_files([(state, self.oids[r]) for r, state in settled.items()], legacy=legacy)
        if self.created:
            states = [state for state, _ in self.created]
            now = horizon(max([s.st_mtime_ns for s in states]), weigh(states))
            stats.record_files(
                [(state, oid) for state, oid in self.created if state.st_mtime_ns < now],
                legacy=legacy,
            )
        lasting = len(settled) == len(self.hashed) and all(
            state is found or same_data(state, found)
            for state, found in zip(self.states.values(), self.files.values(), strict=True)
        )
        return _Added(oids=dict(sorted(self.oids.items())), states=self.states, lasting=lasting)

    def _add_bytes(self, relpath: str) -> None:
        # What is stored is what was hashed, whatever happens to the file meanwhile.
        data, state = read_file(self.place(relpath))
        oid = Oid(hash_bytes(data, legacy=self.legacy))
        self._note(relpath, oid, state)
        self._created(oid, self.owner.adder.add_bytes(oid, data))

    def _add_by_link(self, relpath: str) -> None:
        oid, state = self.oids[relpath], self.states[relpath]
        adder, linker = self.owner.adder, self.owner.linker
        self._created(oid, adder.add_file(self.place(relpath), oid, state, linker))
        self.states[relpath] = os.stat(self.place(relpath))

    def _note(self, relpath: str, oid: Oid, state: os.stat_result) -> None:
        self.oids[relpath] = oid
        self.states[relpath] = state
        self.hashed[relpath] = state

    def _created(self, oid: Oid, state: os.stat_result | None) -> None:
        if state is not None:
            self.created.append((state, oid))
