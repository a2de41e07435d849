"""The objects of a DVC cache: where they are, and verifying them before use.

DVC 3 keeps objects under ``files/md5``, DVC 2 kept them in the cache directory itself and named
them by their ``md5-dos2unix``.
"""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.lock import DIR_SUFFIX, Content, Oid
from exprun.model.values import dataclass
from exprun.store.clock import PER_FILE, file_clock, horizon
from exprun.store.failures import MissingObjects, ignore_warning
from exprun.store.hashing import hash_bytes, hash_files
from exprun.store.linked import Links, lead_to_objects
from exprun.store.manifest import MAX_BYTES, is_oid, parse_manifest, require_safe
from exprun.store.modes import OBJECT_MODE, Modes
from exprun.store.walk import base, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exprun.store.statcache import StatCache

_REMEMBERED_MANIFESTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of a set of objects: the good ones with their stats, and the others."""

    good: Mapping[Oid, os.stat_result]
    missing: tuple[Oid, ...] = ()


class Manifests:
    """The manifests that were read last. Thread-safe."""

    def __init__(self) -> None:
        self._files: dict[Oid, dict[str, Oid]] = {}
        self._lock = threading.Lock()

    def get(self, oid: Oid, read: Callable[[Oid], dict[str, Oid]]) -> dict[str, Oid]:
        """The files of a directory, from `read` unless they are remembered."""
        with self._lock:
            if oid in self._files:
                return self._files[oid]
        files = read(oid)
        self.remember(oid, files)
        return files

    def remember(self, oid: Oid, files: dict[str, Oid]) -> None:
        """Has these be the files of a directory, without reading them."""
        with self._lock:
            while len(self._files) >= _REMEMBERED_MANIFESTS:
                del self._files[next(iter(self._files))]
            self._files[oid] = files


class Objects:
    """One layout of the cache. Thread-safe; other processes may work on it too.

    `set_aside` is the directory damaged objects are moved to, for the user to look at; `warn` is
    told about each.
    """

    def __init__(
        self,
        root: str,
        *,
        set_aside: str,
        modes: Modes,
        stats: StatCache,
        legacy: bool = False,
        jobs: int = 1,
        warn: Callable[[str], None] = ignore_warning,
        manifests: Manifests | None = None,
    ) -> None:
        self.root = root
        self.legacy = legacy
        self._set_aside = set_aside
        self._modes = modes
        self._stats = stats
        self._jobs = jobs
        self._warn = warn
        self.manifests = manifests or Manifests()
        self.verified: dict[Oid, str] = {}
        """The fingerprint that the objects of a directory had when they were last found sound."""

    def path(self, oid: Oid) -> str:
        """Where the object is, or would be. Raises StoreError for what is no object name."""
        if not is_oid(oid):
            raise StoreError(f"not the name of an object: {oid!r}")
        return f"{self.root}/{oid[:2]}/{oid[2:]}"

    def is_object(self, oid: Oid, found: os.stat_result) -> bool:
        """Whether a file of that stat is this very object, under another name."""
        try:
            return os.path.samestat(os.stat(self.path(oid)), found)
        except OSError:
            return False

    def has(self, oid: Oid) -> bool:
        """Whether the object is there, as DVC asks: one of mode 0444 is believed unread."""
        try:
            mode = os.stat(self.path(oid)).st_mode
        except OSError:
            return False
        return stat.S_IMODE(mode) == OBJECT_MODE or bool(self.verify([oid]).good)

    def missing_files(self, oid: Oid) -> tuple[Oid, ...]:
        """The files of a directory that are not there, as `has` asks. Raises MissingObjects."""
        return tuple(
            member
            for member, state in self._states(self.manifest(oid))
            if state is None or (state.st_mode & 0o7777 != OBJECT_MODE and not self.has(member))
        )

    def has_linked(self, links: Links) -> bool:
        """Whether `links` lead to all the files of their directory, which saves looking at each."""
        try:
            if not lead_to_objects(
                links, self.root, lambda: self.manifest(links.oid).values(), self._stats
            ):
                return False
        except OSError:
            return False
        self.verified[links.oid] = links.fingerprint
        return True

    def is_sound(self, oid: Oid) -> bool:
        """Whether the object is there and holds what its name says."""
        return os.path.lexists(self.path(oid)) and not self.verify([oid]).missing

    def verify(self, oids: Iterable[Oid]) -> Checked:
        """Makes sure that objects hold what their names say, by record or by reading them.

        Damaged ones are set aside and count as missing; the good ones are made read-only.
        """
        found, missing = self._look_at(oids)
        self._protect(found)
        return Checked(good=found, missing=tuple(missing))

    def damaged(self, oids: Iterable[Oid]) -> tuple[Oid, ...]:
        """Those that are there but do not hold what their names say; they are set aside.

        The others keep their modes: an executable in the workspace may be a link to one of them.
        """
        there = [oid for oid in oids if os.path.lexists(self.path(oid))]
        _, missing = self._look_at(there)
        return tuple(missing)

    def _look_at(self, oids: Iterable[Oid]) -> tuple[dict[Oid, os.stat_result], list[Oid]]:
        found: dict[Oid, os.stat_result] = {}
        missing: list[Oid] = []
        for oid in dict.fromkeys(oids):
            try:
                found[oid] = os.stat(self.path(oid))
            except FileNotFoundError:
                missing.append(oid)
        records = self._stats.files(list(found.values()), legacy=self.legacy)
        unknown = [
            oid
            for (oid, state), record in zip(found.items(), records, strict=True)
            if record is None
            or record.oid != bare(oid)
            or not (record.exact or stat.S_IMODE(state.st_mode) == OBJECT_MODE)
        ]
        if unknown:
            missing += self._verify_by_reading(unknown, found)
        return found, missing

    def verify_directory(self, oid: Oid) -> Checked:
        """`verify` for a directory: its manifest and every file of it."""
        try:
            files = self.manifest(oid)
        except MissingObjects:
            return Checked(good={}, missing=(oid,))
        known = self._recorded_directory(oid, files)
        return known if known is not None else self._verify_files(oid, files)

    def is_known_sound(self, oid: Oid) -> bool:
        """Whether every file of a directory is there and was verified as it is now."""
        try:
            return self._recorded_directory(oid, self.manifest(oid)) is not None
        except MissingObjects:
            return False

    def manifest(self, oid: Oid) -> dict[str, Oid]:
        """The files of a directory by relative path; not to be changed.

        Raises MissingObjects if the manifest is absent or damaged, StoreError if it is malformed.
        """
        return self.manifests.get(oid, self._read_manifest)

    def know_manifest(self, oid: Oid, files: dict[str, Oid]) -> None:
        """Saves reading a manifest that was just added. Raises StoreError as `manifest`."""
        require_safe(files, where=self.path(oid))
        self.manifests.remember(oid, files)

    def discard(self, oid: Oid) -> None:
        """Sets a damaged object aside."""
        self._modes.make_cache_directory(self._set_aside)
        with suppress(FileNotFoundError):
            os.replace(self.path(oid), os.path.join(self._set_aside, oid))
            self._warn(f"the cached object {oid} is damaged; it was moved to {self._set_aside}")

    def _verify_by_reading(
        self, oids: Sequence[Oid], found: dict[Oid, os.stat_result]
    ) -> list[Oid]:
        """Hashes objects, updating their stats in `found`; the damaged ones leave it."""
        states = [found[oid] for oid in oids]
        trusted_before = horizon(max(s.st_mtime_ns for s in states), weigh(states))
        hashed = hash_files(
            [self.path(oid) for oid in oids],
            [state.st_size for state in states],
            legacy=self.legacy,
            jobs=self._jobs,
        )
        damaged = []
        for oid, (actual, state) in zip(oids, hashed, strict=True):
            found[oid] = state
            if actual != bare(oid):
                self.discard(oid)
                del found[oid]
                damaged.append(oid)
        self._stats.record_files(
            [(state, Oid(oid)) for oid, state in hashed if state.st_mtime_ns < trusted_before],
            legacy=self.legacy,
        )
        return damaged

    def _protect(self, found: dict[Oid, os.stat_result]) -> None:
        for oid, state in found.items():
            if stat.S_IMODE(state.st_mode) != OBJECT_MODE:
                # Not every file system or owner lets us; the object is verified all the same.
                with suppress(OSError):
                    os.chmod(self.path(oid), OBJECT_MODE)
                    found[oid] = os.stat(self.path(oid))

    def _recorded_directory(self, oid: Oid, files: Mapping[str, Oid]) -> Checked | None:
        """The stats of a directory's objects, if they were all verified as they are now."""
        states: dict[Oid, os.stat_result] = {}
        for member, state in self._states(files):
            if state is None:
                return None
            states[member] = state
        key = self._listing_key(files, states)
        record = self._stats.directory(key)
        if record is None or record.oid != oid:
            return None
        self.verified[oid] = key
        return Checked(good=states)

    def _states(self, files: Mapping[str, Oid]) -> Iterator[tuple[Oid, os.stat_result | None]]:
        """The objects of a manifest, each once, with their stats; None for what is not there."""
        members = dict.fromkeys(files.values())
        try:
            with base(self.root) as cache:
                for member in members:
                    try:
                        yield member, os.stat(f"{member[:2]}/{member[2:]}", dir_fd=cache)
                    except OSError:
                        yield member, None
        except OSError:  # There is no cache, or none that may be used.
            yield from members.items()

    def _verify_files(self, oid: Oid, files: Mapping[str, Oid]) -> Checked:
        started = file_clock()
        checked = self.verify(files.values())
        if checked.missing:
            return checked
        states = checked.good
        if all(state.st_mtime_ns < started for state in states.values()):
            size = sum(states[member].st_size for member in files.values())
            self._stats.record_directory(
                self._listing_key(files, states),
                Content(oid=oid, size=size, nfiles=len(files), legacy=self.legacy),
            )
        return checked

    def _listing_key(self, files: Mapping[str, Oid], states: Mapping[Oid, os.stat_result]) -> str:
        # If these very objects were hard-linked into a directory, it would have this fingerprint:
        # a record of the one is a record of the other.
        linked = {relpath: states[oid] for relpath, oid in files.items()}
        return fingerprint(linked, legacy=self.legacy, hardlinked=linked)

    def _read_manifest(self, oid: Oid) -> dict[str, Oid]:
        path = self.path(oid)
        try:
            with open(path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise MissingObjects("a directory", [oid]) from None
        if len(data) > MAX_BYTES:
            raise StoreError("the directory manifest is too large", where=path)
        if hash_bytes(data) != bare(oid):
            self.discard(oid)
            raise MissingObjects("a directory", [oid])
        return parse_manifest(data, where=path)


def bare(oid: Oid) -> Oid:
    """`oid` as the hash of the object's bytes: without ``.dir``."""
    return Oid(oid.removesuffix(DIR_SUFFIX))


def weigh(states: Iterable[os.stat_result]) -> int:
    """What hashing files of these stats costs, in bytes."""
    return sum([state.st_size + PER_FILE for state in states])
