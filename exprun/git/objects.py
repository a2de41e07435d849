"""The object database: loose objects read and written here, packed ones mostly through libgit2.

Loose format: zlib of ``<kind> <size>\\0<data>``, named by the SHA-1 of that (gitformat-loose). New
objects are collected until `ObjectStore.sync` makes all of them durable at once.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from exprun.content import read_file, write_all
from exprun.errors import GitError
from exprun.git.pack_reading import KINDS, Kind, Packs, names_in
from exprun.git.refs import sync_directory
from exprun.git.sharing import Sharing
from exprun.model.files import naming
from exprun.model.recent import Recent
from exprun.room import threads_that_fit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Self

    import pygit2

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

_CHUNK = 1 << 20
_SMALL = 1 << 14
_WINDOW_BITS = 12
_SMALL_TABLES = 5
_REMEMBERED = 500
_MANY = 12
_AT_ONCE = 8
_OPEN_PACKS = 50


class Pruned(GitError):
    """Objects have gone, as they do if somebody prunes before a ref holds them."""


class ObjectStore:
    """One repository's objects, alternates included.

    Not for use from two threads at once, but for `read`, `contains` and `sync`, which may run
    beside anything.
    """

    def __init__(
        self,
        directory: str,
        *,
        lender: ObjectStore | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        """`lender`: the store that ``info/alternates`` names, if it is open already."""
        self.directory = directory
        self.sharing = sharing or Sharing()
        self._lender = lender
        self._packs = Packs(f"{directory}/pack")
        self._libgit2: pygit2.Odb | None = None
        self._unsynced: dict[str, None] = {}
        self._reading = Lock()
        self._syncing = Lock()
        self._noting = Lock()
        self._known: Recent[str, tuple[Kind, bytes]] = Recent(_REMEMBERED)

    def read(self, oid: str, kind: Kind) -> bytes:
        """The data of an object. Raises GitError if it is missing, damaged or of another kind.

        Small ones that were read or written before are known, whether they are still there or not.
        """
        found, data = self._known.get(oid) or self._read(oid)
        if found != kind:
            raise GitError(f"git object {oid} is a {found}, not a {kind}")
        return data

    @cached_property
    def real_directory(self) -> str:
        """Where the objects are, whatever links lead there."""
        return os.path.realpath(self.directory)

    def contains(self, oid: str) -> bool:
        """Whether the object can be read here."""
        return (
            os.path.exists(self._path(oid))
            or (self._lender is not None and self._lender.contains(oid))
            or (self._has_packs() and oid in self._odb())
        )

    def write(self, kind: Kind, data: bytes) -> str:
        """Store an object unless it is there; its name."""
        header = b"%s %d\0" % (kind.encode(), len(data))
        oid = object_name(kind, data)
        if not self._freshen(oid):
            compress = _compressor(len(data))
            with NewFile(f"{self.directory}/tmp_obj_") as file:
                file.write(compress.compress(header) + compress.compress(data) + compress.flush())
                self._publish(file, oid)
        if kind != "blob":  # which nobody reads again
            self._remember(oid, kind, data)
        return oid

    def write_file(self, path: str) -> str:
        """Store the content of a file as a blob without holding it in memory; its name."""
        with open(path, "rb") as source, NewFile(f"{self.directory}/tmp_obj_") as file:
            size = os.fstat(source.fileno()).st_size
            header = b"blob %d\0" % size
            digest = hashlib.sha1(header, usedforsecurity=False)
            compress = _compressor(size)
            file.write(compress.compress(header))
            while chunk := source.read(_CHUNK):
                size -= len(chunk)
                digest.update(chunk)
                file.write(compress.compress(chunk))
            if size:
                raise GitError("the file changed while it was read", where=path)
            file.write(compress.flush())
            oid = digest.hexdigest()
            if self._freshen(oid):
                os.unlink(file.path)
            else:
                self._publish(file, oid)
        return oid

    def copy_from(self, other: ObjectStore, oid: str) -> None:
        """Store an object of another repository (or, for `sync`, of this one) here."""
        if other is self:
            self._freshen(oid)
        elif not self.contains(oid):
            self.write(*other._read(oid))

    def missing_from(self, other: ObjectStore, oids: Iterable[str]) -> set[str]:
        """Which of these objects only this store has. Quick if it has few that are not borrowed."""
        if self is other or other._lender is self:
            return set()
        if not self._has_own_packs():
            oids = set(oids) & self._own_loose()
        return {oid for oid in oids if not other.contains(oid)}

    def _own_loose(self) -> set[str]:
        return {
            directory + name
            for directory in names_in(self.directory)
            if len(directory) == 2
            for name in names_in(os.path.join(self.directory, directory))
        }

    def sync(self) -> None:
        """Make every object written or met by `write` since the last call durable.

        Whoever calls this while another call is at it waits for that one, which may do all of it.
        """
        with self._syncing:
            with self._noting:
                paths, self._unsynced = self._unsynced, {}
            try:
                self._sync(paths)
            except BaseException:
                with self._noting:
                    self._unsynced = paths | self._unsynced
                raise

    def _sync(self, paths: Collection[str]) -> None:
        if len(paths) < _MANY or not _sync_at_once(paths):
            for path in paths:
                _sync_file(path)
        # On Linux, a file that is synced takes the names on the way to it along.
        directories = set() if sys.platform == "linux" else set(map(os.path.dirname, paths))
        for directory in directories:
            with suppress(FileNotFoundError):
                sync_directory(directory)
        if directories:
            sync_directory(self.directory)

    def _note(self, path: str) -> None:
        with self._noting:
            self._unsynced[path] = None

    def _read(self, oid: str) -> tuple[Kind, bytes]:
        """Small objects are remembered: the experiments of a sweep start from the same ones."""
        known = self._known.get(oid)
        if known is None and self._lender is not None:
            known = self._lender._known.get(oid)
        if known is None:
            with self._reading:
                known = self._find(oid)
            self._remember(oid, *known)
        return known

    def _remember(self, oid: str, kind: Kind, data: bytes) -> None:
        if len(data) <= _SMALL:
            self._known[oid] = kind, data

    def _find(self, oid: str) -> tuple[Kind, bytes]:
        if (found := self._packs.read(oid)) and object_name(*found) == oid:
            return found
        try:
            return _parse_loose(oid, read_file(self._path(oid)))
        except FileNotFoundError:
            pass
        if self._lender is not None and self._lender.contains(oid):
            return self._lender._read(oid)
        if self._libgit2 is None and self._packs.look():
            return self._find(oid)
        if self._libgit2 is not None or self._has_packs():
            with suppress(KeyError):
                number, data = self._odb().read(oid)
                return KINDS[number], data
        raise GitError(
            f"git object {oid} is missing", hint="is this a partial clone, or damaged? git fsck"
        )

    def _has_packs(self) -> bool:
        """Whether libgit2 might find what is not loose here."""
        if self._lender is None and os.path.exists(f"{self.directory}/info/alternates"):
            return True
        return self._has_own_packs()

    def _has_own_packs(self) -> bool:
        return any(name.endswith(".idx") for name in names_in(f"{self.directory}/pack"))

    def _odb(self) -> pygit2.Odb:
        if self._libgit2 is None:
            import pygit2

            # Each pack that was read would stay open, and whatever is queued makes one.
            with suppress(AttributeError):  # older versions
                pygit2.settings.mwindow_file_limit = _OPEN_PACKS
            self._libgit2 = pygit2.Odb(self.directory)
        return self._libgit2

    def _path(self, oid: str) -> str:
        return f"{self.directory}/{oid[:2]}/{oid[2:]}"

    def _freshen(self, oid: str) -> bool:
        """Whether the loose object exists; if so its new mtime keeps ``git prune`` away."""
        path = self._path(oid)
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        except PermissionError:  # another user's object in a shared repository
            pass
        self._note(path)
        return True

    def _publish(self, file: NewFile, oid: str) -> None:
        self.sharing.adjust(file.descriptor)
        path = self._path(oid)
        try:
            os.rename(file.path, path)
        except FileNotFoundError:
            try:
                self.sharing.make_directories(f"{self.directory}/{oid[:2]}")
                os.rename(file.path, path)
            except FileNotFoundError:
                raise Pruned(f"git object {oid} has gone while it was written") from None
        self._note(path)


class NewFile:
    """A read-only file that is to be renamed; gone if what is done with it fails.

    A kill leaves it, so its name starts with a `prefix` that ``git gc`` knows leftovers by.
    """

    def __init__(self, prefix: str) -> None:
        self.path = f"{prefix}{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.descriptor = os.open(self.path, flags, 0o444)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, _: object, __: object) -> None:
        os.close(self.descriptor)
        if kind is not None:
            with suppress(FileNotFoundError):
                os.unlink(self.path)

    def write(self, data: bytes) -> None:
        with naming(self.path):
            write_all(self.descriptor, data)

    def sync(self) -> None:
        with naming(self.path):
            os.fsync(self.descriptor)


def _sync_at_once(paths: Iterable[str]) -> bool:
    """Sync files in several threads: what a disk gets at one time, it makes durable together.

    False if there are no threads to be had.
    """
    from concurrent.futures import ThreadPoolExecutor

    count = threads_that_fit(_AT_ONCE)
    if count < 2:
        return False
    try:
        with ThreadPoolExecutor(count) as threads:
            list(threads.map(_sync_file, paths))
    except RuntimeError:
        return False
    return True


def _sync_file(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # packed meanwhile by git, which syncs its packs
        return
    try:
        with naming(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _compressor(size: int) -> zlib._Compress:
    """Compresses `size` bytes: to prepare the usual window takes longer than a small file does."""
    if size < 1 << _WINDOW_BITS:
        return zlib.compressobj(1, wbits=_WINDOW_BITS, memLevel=_SMALL_TABLES)
    return zlib.compressobj(1)


def object_name(kind: Kind, data: bytes) -> str:
    """The name an object has."""
    digest = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def _parse_loose(oid: str, text: bytes) -> tuple[Kind, bytes]:
    try:
        content = zlib.decompress(text)
        header, _, data = content.partition(b"\0")
        kind, size = header.decode("ascii").split(" ")
        if kind in KINDS.values() and int(size) == len(data):
            return kind, data  # type: ignore[return-value]
    except (zlib.error, ValueError):
        pass
    raise GitError(f"git object {oid} is damaged", hint="git fsck")
