"""Adding objects to the cache: whole, verified and read-only, or not at all."""

from __future__ import annotations

import itertools
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.store.hashing import same_data
from exprun.store.links import Linker, publish, write_file
from exprun.store.modes import OBJECT_MODE, Modes

if TYPE_CHECKING:
    from exprun.model.lock import Oid
    from exprun.store.objects import Objects

_PROCESS = os.urandom(8).hex()
_numbers = itertools.count()


class Adder:
    """Adds to one layout of the cache. Thread-safe.

    An object appears under its name by a rename, once its content is sure and its mode is set.
    """

    def __init__(self, objects: Objects, modes: Modes) -> None:
        self._objects = objects
        self._modes = modes
        self._directories: set[str] = set()
        self._lock = threading.Lock()

    def add_bytes(self, oid: Oid, data: bytes) -> os.stat_result | None:
        """Adds `data`, which hashes to `oid`; the new object's stat, None if it was there."""
        path = self._objects.path(oid)
        # Mostly it is not there, and this says so without the price of an exception.
        if os.access(path, os.F_OK) and self._objects.is_sound(oid):
            return None
        temporary = self._beside(path)
        write_file(temporary, data, OBJECT_MODE)
        is_trimmed = self._modes.umask & OBJECT_MODE
        return _publish(temporary, path, OBJECT_MODE if is_trimmed else None)

    def add_file(
        self, source: str, oid: Oid, found: os.stat_result, linker: Linker
    ) -> os.stat_result | None:
        """Adds a file that hashed to `oid` while it had the stat `found`; None if it was there.

        Raises StoreError if the file has changed since, OSError.
        """
        if self._objects.is_sound(oid):
            return None
        temporary = self.temporary(oid)
        device = os.stat(os.path.dirname(temporary)).st_dev
        linker.link(os.path.realpath(source), found, temporary, device)
        if not (same_data(found, os.stat(source)) and _size(temporary) == found.st_size):
            os.unlink(temporary)
            raise StoreError("the file changed while it was collected", where=source)
        return self.publish(temporary, oid)

    def temporary(self, oid: Oid) -> str:
        """A new name beside the object, for what will be the object."""
        return self._beside(self._objects.path(oid))

    def publish(self, temporary: str, oid: Oid) -> os.stat_result:
        """Gives a file that hashes to `oid` the object's mode and name; its stat.

        If that fails the file is gone.
        """
        return _publish(temporary, self._objects.path(oid), OBJECT_MODE)

    def _beside(self, path: str) -> str:
        directory = path.rpartition("/")[0]
        if directory not in self._directories:
            self._make_directory(directory)
        # The same pattern as DVC's own temporary names, which its garbage collection removes. Where
        # Python forks itself, only the pid tells the children apart.
        return f"{directory}/.{_PROCESS}{os.getpid():08x}{next(_numbers):x}.tmp"

    def _make_directory(self, directory: str) -> None:
        with self._lock:
            self._modes.make_cache_directory(directory)
            self._directories.add(directory)


def _publish(temporary: str, path: str, mode: int | None) -> os.stat_result:
    publish(temporary, path, mode)
    found = os.stat(path)
    if found.st_nlink > 1:
        # Renaming one name of an inode to another of its names leaves both.
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    return found


def _size(path: str) -> int:
    return os.stat(path).st_size
