"""Adding objects to the cache: whole, verified and read-only, or not at all."""

from __future__ import annotations

import itertools
import os
import secrets
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.store.hashing import same_data
from exprun.store.links import Linker, write_file
from exprun.store.modes import OBJECT_MODE, Modes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.model.lock import Oid
    from exprun.store.objects import Objects

_PROCESS = secrets.token_hex(8)
_numbers = itertools.count()


class Adder:
    """Adds to one layout of the cache. Thread-safe.

    An object appears under its name by a rename, once its content is sure and its mode set.
    """

    def __init__(self, objects: Objects, modes: Modes) -> None:
        self._objects = objects
        self._modes = modes
        self._directories: set[str] = set()
        self._lock = threading.Lock()

    def add_bytes(self, oid: Oid, data: bytes) -> os.stat_result | None:
        """Adds `data`, which hashes to `oid`; the new object's stat, None if it was there."""
        if self._objects.verify([oid]).good:
            return None
        with self.new_object(oid) as temporary:
            write_file(temporary, data, OBJECT_MODE)
        return os.stat(self._objects.path(oid))

    def add_file(
        self, source: str, oid: Oid, found: os.stat_result, linker: Linker
    ) -> os.stat_result | None:
        """Adds a file that hashed to `oid` while it had the stat `found`; None if it was there.

        Raises StoreError if the file has changed since, OSError.
        """
        if self._objects.verify([oid]).good:
            return None
        with self.new_object(oid) as temporary:
            linker.link(source, found, temporary, os.stat(os.path.dirname(temporary)).st_dev)
            if not (same_data(found, os.stat(source)) and _size(temporary) == found.st_size):
                raise StoreError("the file changed while it was collected", where=source)
        return os.stat(self._objects.path(oid))

    @contextmanager
    def new_object(self, oid: Oid) -> Iterator[str]:
        """A name to fill in the block with what hashes to `oid`; it becomes the object after."""
        path = self._objects.path(oid)
        directory = os.path.dirname(path)
        self._make_directory(directory)
        # The same pattern as DVC's own temporary names, which its garbage collection removes.
        temporary = f"{directory}/.{_PROCESS}{next(_numbers):x}.tmp"
        try:
            yield temporary
            if os.lstat(temporary).st_mode & 0o7777 != OBJECT_MODE:
                os.chmod(temporary, OBJECT_MODE)
            os.rename(temporary, path)
        finally:
            # After the rename nothing is left, unless both were names of one inode.
            with suppress(FileNotFoundError):
                os.unlink(temporary)

    def _make_directory(self, directory: str) -> None:
        if directory in self._directories:
            return
        with self._lock:
            self._modes.make_cache_directory(directory)
            self._directories.add(directory)


def _size(path: str) -> int:
    return os.stat(path).st_size
