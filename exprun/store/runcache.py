"""The run cache: what a stage produced for given inputs, one small file per result.

DVC's layout: ``runs/<2>/<key>/<value>``, both SHA-256 of texts the lockfile room defines.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from exprun.errors import ExprunError, StoreError
from exprun.model.patterns import pattern
from exprun.store.failures import reporting
from exprun.store.links import publish, write_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun.store.modes import Modes

T = TypeVar("T")

MAX_BYTES = 10 * 1024 * 1024

_SHA256 = pattern(r"[0-9a-f]{64}")
_NO_DIRECTORY = (FileNotFoundError, NotADirectoryError)


class RunCache:
    """The run cache of one cache directory. Thread-safe; other processes may use it too."""

    def __init__(self, root: str, *, modes: Modes, warn: Callable[[str], None]) -> None:
        self.root = root
        self._modes = modes
        self._warn = warn

    def values(self, key: str) -> list[str]:
        """The values stored under `key`, newest first."""
        dated = []
        with reporting("read the run cache", self.root), suppress(*_NO_DIRECTORY):
            for entry in os.scandir(self._directory(key)):
                if _SHA256.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        dated.append((entry.stat().st_mtime_ns, entry.name))
        return [value for _, value in sorted(dated, reverse=True)]

    def entries(self) -> list[tuple[str, str]]:
        """Key and value of every entry."""
        with reporting("read the run cache", self.root):
            return [
                (key, value)
                for prefix in _names(self.root)
                for key in _names(f"{self.root}/{prefix}")
                if _SHA256.fullmatch(key)
                for value in self.values(key)
            ]

    def has(self, key: str, value: str) -> bool:
        """Whether there is such an entry, sound or not."""
        return os.path.exists(self.path(key, value))

    def load(self, key: str, value: str, parse: Callable[[bytes], T]) -> T | None:
        """The entry, or None if there is none.

        One that `parse` refuses (by an ExprunError or ValueError) is removed, with a warning.
        """
        path = self.path(key, value)
        with reporting("read the run cache", path):
            try:
                with open(path, "rb") as file:
                    data = file.read(MAX_BYTES + 1)
            except FileNotFoundError:
                return None
            try:
                if len(data) > MAX_BYTES:
                    raise ValueError("too large")
                return parse(data)
            except (ExprunError, ValueError) as error:
                self._warn(f"removed the damaged run-cache entry {path}: {error}")
                with suppress(FileNotFoundError):
                    os.unlink(path)
                return None

    def save(self, key: str, value: str, data: bytes, parse: Callable[[bytes], object]) -> bool:
        """Stores an entry; False if a sound one is there already, which stays as it is."""
        if self.load(key, value, parse) is not None:
            return False
        self.add(key, value, data)
        return True

    def add(self, key: str, value: str, data: bytes) -> None:
        """Stores an entry, replacing one there may be."""
        path = self.path(key, value)
        directory = self._directory(key)
        temporary = f"{directory}/.{os.urandom(8).hex()}.tmp"
        with reporting("write to the run cache", path):
            self._modes.make_cache_directory(directory)
            write_file(temporary, data)
            publish(temporary, path, self._modes.file)

    def _directory(self, key: str) -> str:
        if not _SHA256.fullmatch(key):
            raise StoreError(f"not a run-cache key: {key!r}")
        return f"{self.root}/{key[:2]}/{key}"

    def path(self, key: str, value: str) -> str:
        """Where the entry is, or would be."""
        if not _SHA256.fullmatch(value):
            raise StoreError(f"not a run-cache value: {value!r}")
        return f"{self._directory(key)}/{value}"


def _names(directory: str) -> list[str]:
    """The names in a directory, in order; none if it is none."""
    with suppress(*_NO_DIRECTORY):
        return sorted(os.listdir(directory))
    return []
