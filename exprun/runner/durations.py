"""How long stages took the last time, to guess how long they will take: hints, never trusted.

A line of JSON for each run of a stage is appended to one file, so a kill loses nothing and several
processes may write at a time. Of a file that has grown large only the end is read, and kept; of
one that is mostly out of date, only what is not.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.content import only_files
from exprun.project.state_files import replace_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.model.stage import Stage

_READ = 1 << 20
_LARGEST = 2 * _READ
_SLACK = 200
_UNKNOWN_S = 1.0


class Durations:
    """The durations kept in the file `path`. Thread-safe.

    A file that cannot be read or written is no reason to fail, nor to say so: it may be deleted.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, float] | None = None

    def record(self, stage: Stage, duration_s: float) -> None:
        """Keep how long a stage has taken."""
        duration_s = round(duration_s, 3)
        with self._lock:
            if self._known is not None:
                self._known[_key(stage)] = duration_s
        with suppress(OSError):
            descriptor = self._open()
            try:
                os.write(descriptor, _line(_key(stage), duration_s))
            finally:
                os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            return os.open(self._path, flags, 0o600)

    def expect(self, stages: Sequence[Stage]) -> list[float]:
        """How many seconds each stage will take; one that has never run, as long as the others."""
        with self._lock:
            if self._known is None:
                self._known = self._read()
            known = [self._known.get(_key(stage)) if stage.cmd else 0.0 for stage in stages]
        ran = [duration for duration in known if duration]
        mean = sum(ran) / len(ran) if ran else _UNKNOWN_S
        return [mean if duration is None else duration for duration in known]

    def _read(self) -> dict[str, float]:
        known: dict[str, float] = {}
        with suppress(OSError):
            with open(self._path, "rb", opener=only_files) as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - _READ))
                lines = file.read(_READ).split(b"\n")
            for line in lines:
                _take(line, known)
            if size > _LARGEST or len(lines) > 2 * len(known) + _SLACK:
                self._compact(known)
        return known

    def _compact(self, known: dict[str, float]) -> None:
        """What others append meanwhile is lost, which does no harm."""
        lines = (_line(key, duration_s) for key, duration_s in known.items())
        replace_state(self._path, b"".join(lines))


def _key(stage: Stage) -> str:
    return f"{stage.file}:{stage.name or ''}"


def _line(key: str, duration_s: float) -> bytes:
    return json.dumps([key, duration_s]).encode() + b"\n"


def _take(line: bytes, known: dict[str, float]) -> None:
    """Take note of one line; one that was torn says nothing."""
    try:
        match json.loads(line):
            case [str(key), int() | float() as duration_s] if 0 <= duration_s < float("inf"):
                known[key] = float(duration_s)
    except (ValueError, RecursionError):
        return
