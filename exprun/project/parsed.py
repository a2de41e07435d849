"""Parsed documents kept beside the project, so that an unchanged file is never parsed twice.

Reading 5,000 stages of dvc.lock as JSON costs a sixtieth of reading them as YAML. An entry is named
by the hash of the text it stands for, and begins with a line that says who wrote it and what it
must hash to; one that does not fit is as good as absent.
"""

from __future__ import annotations

import json
import os
from hashlib import md5
from typing import TYPE_CHECKING, TypeVar

from exprun import __version__
from exprun.content import only_files
from exprun.project.state_files import replace_state

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_DEEPEST = 200
_PRUNE_EVERY = 64
_UNTOUCHED_S = 24 * 3600


class ParsedCache:
    """Parsed documents in `directory`, which is made when first needed.

    At most `max_entries` are kept, the least recently used go first. A cache that cannot be read or
    written costs time, nothing else. Safe to use from several threads and processes.
    """

    def __init__(self, directory: str, *, max_entries: int = 1000) -> None:
        self._directory = directory
        self._max_entries = max_entries
        self._stores = 0
        self._header: bytes | None = None

    def cached(
        self, data: bytes, kind: str, parse: Callable[[bytes], T], *, keep: bool = True
    ) -> T:
        """What `parse` makes of `data`, from the cache if it is there, else kept if it is to be.

        `kind` names the parser: a file name part that changes whenever its results may. Only plain
        JSON data (None, bool, int, float, str, list, and dict with str keys) is kept; what a hit
        returns shares nothing with other results. Raises what `parse` raises.
        """
        path = os.path.join(self._directory, f"{_hash(data).decode()}.{kind}")
        payload = self._read(path)
        if payload is not None:
            document: T = json.loads(payload)
            return document
        result = parse(data)
        if keep and _is_plain(result):
            self._write(path, json.dumps(result, separators=(",", ":")).encode())
        return result

    def _read(self, path: str) -> bytes | None:
        try:
            with open(path, "rb", buffering=0, opener=only_files) as file:
                status = os.fstat(file.fileno())
                entry = file.read()
        except OSError:
            return None
        header, newline, payload = entry.partition(b"\n")
        if not newline or header != self._expected_header(payload):
            return None
        self._mark_used(path, status)
        return payload

    def _expected_header(self, payload: bytes) -> bytes:
        """Who wrote the entry, where, and what it hashes to.

        The directory's inode is part of it so that a repository cannot bring entries along that
        contradict its files: a checkout makes a new directory.
        """
        if self._header is None:
            place = os.stat(self._directory)
            self._header = b"exprun-parsed/1 %s %x-%x " % (
                __version__.encode(),
                place.st_dev,
                place.st_ino,
            )
        return self._header + _hash(payload)

    def _mark_used(self, path: str, status: os.stat_result) -> None:
        now = _now()
        if now - status.st_mtime > _UNTOUCHED_S:
            try:
                os.utime(path, (now, now))
            except OSError:
                return

    def _write(self, path: str, payload: bytes) -> None:
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            replace_state(path, self._expected_header(payload) + b"\n" + payload)
            if self._stores % _PRUNE_EVERY == 0:
                self._prune()
            self._stores += 1
        except OSError:
            # A full or read-only disk: the document is parsed again next time.
            return

    def _prune(self) -> None:
        with os.scandir(self._directory) as entries:
            names = [entry.path for entry in entries]
        excess = len(names) - self._max_entries
        if excess > 0:
            ages = sorted((_used_at(path), path) for path in names)
            # Some more than needed, so that the next store need not prune again.
            for _, path in ages[: excess + self._max_entries // 10]:
                _remove(path)


def _hash(data: bytes) -> bytes:
    return md5(data, usedforsecurity=False).hexdigest().encode()


def _now() -> float:
    import time

    return time.time()


def _used_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _is_plain(document: object) -> bool:
    """Whether JSON gives back exactly `document`: the same values of the same types."""
    level: list[object] = [document]
    for _ in range(_DEEPEST):
        inner: list[object] = []
        for value in level:
            kind = type(value)
            if kind is dict:
                assert isinstance(value, dict)
                if not all(type(key) is str for key in value):
                    return False
                inner.extend(value.values())
            elif kind is list:
                assert isinstance(value, list)
                inner.extend(value)
            elif kind is int:
                assert isinstance(value, int)
                if value.bit_length() > 4096:  # Python refuses to read very long numbers.
                    return False
            elif not (value is None or kind is str or kind is bool or kind is float):
                return False
        if not inner:
            return True
        level = inner
    return False
