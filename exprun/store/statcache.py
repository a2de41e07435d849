"""Remembering hashes by inode, so that unchanged data is hashed once for all workspaces.

A *file record* says: this inode, with this size, mtime and ctime, has this hash. A *directory
record* maps the fingerprint of a listing to the directory's hash. A *creation record* says what
exprun last left at a path.

Records are hints, so they need not be in the database at once: they are written when many have come
together, or some that it took long to find out, and at the end. Until then memory has the answer.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, NamedTuple

from exprun.model.lock import Content, Oid
from exprun.store.clock import PER_FILE
from exprun.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_BYTES = 400 * 1024 * 1024
"""Beyond this records not renewed today are dropped: room for some four million files."""

_WORTH_WRITING = 32 * 1024 * 1024
"""Records of so many bytes hashed are written at once: some 50 ms to find out again."""

_LATEST_S = 5.0
_FEW = 500
_REMEMBERED = 20_000
_BATCH = 500
_DAY_S = 86_400

_FORGET = "DELETE FROM created WHERE path = ?"
_CREATED = "INSERT OR REPLACE INTO created (path, oid, legacy) VALUES (?, ?, ?)"
_DIRECTORY = (
    "INSERT OR REPLACE INTO directories (fingerprint, oid, size, nfiles, day)"
    " VALUES (?, ?, ?, ?, ?)"
)
_FILE = (
    "INSERT OR REPLACE INTO files (dev, ino, legacy, size, mtime, ctime, oid, day)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)

_Inode = tuple[int, int, bool]
_State = tuple[int, int, int, Oid]
"""Size, mtime, ctime and hash."""


class FileRecord(NamedTuple):
    """A remembered hash; `exact` unless only the ctime has moved since."""

    oid: Oid
    exact: bool


class StatCache:
    """The records under one directory, shared by threads and processes.

    `directory` None keeps nothing beyond this object.
    """

    def __init__(self, directory: str | None) -> None:
        self._database = Database(directory)
        self._unwritten = _Unwritten(self._database)
        self._files: dict[_Inode, _State] = {}
        self._directories: dict[str, Content] = {}
        # Whoever never closes it loses nothing when the program ends.
        weakref.finalize(self, self._unwritten.write)

    def files(
        self, stats: Sequence[os.stat_result], *, legacy: bool = False
    ) -> list[FileRecord | None]:
        """The record of each file, as far as it still describes that file."""
        known = self._files
        found = [_matching(known.get((s.st_dev, s.st_ino, legacy)), s) for s in stats]
        unknown = [at for at, record in enumerate(found) if record is None]
        if unknown:
            rows = self._look_up([stats[at] for at in unknown], legacy)
            if rows:
                for at in unknown:
                    state = stats[at]
                    found[at] = _matching(rows.get((state.st_dev, state.st_ino, legacy)), state)
        return found

    def record_files(
        self, records: Iterable[tuple[os.stat_result, Oid]], *, legacy: bool = False
    ) -> None:
        """Remembers the hash of each file as it is under that stat.

        The caller makes sure that a later change will show in the stat (`clock.horizon`).
        """
        states = {
            (found.st_dev, found.st_ino, legacy): (
                found.st_size,
                found.st_mtime_ns,
                found.st_ctime_ns,
                oid,
            )
            for found, oid in records
        }
        self._remember(states)
        today = _today()
        # Of a bool, sqlite3 would ask each time what it may be adapted to.
        kind = int(legacy)
        self._unwritten.add(
            _FILE,
            [
                (_signed(device), _signed(inode), kind, *state, today)
                for (device, inode, _), state in states.items()
            ],
            sum([state[0] + PER_FILE for state in states.values()]),
        )

    def directory(self, fingerprint: str) -> Content | None:
        """The content of a directory whose listing has this fingerprint."""
        known = self._directories.get(fingerprint)
        if known is not None:
            return known
        for oid, size, nfiles in self._database.read(
            "SELECT oid, size, nfiles FROM directories WHERE fingerprint = ?", (fingerprint,)
        ):
            return self._remember_directory(
                fingerprint, Content(oid=Oid(oid), size=size, nfiles=nfiles)
            )
        return None

    def record_directory(self, fingerprint: str, content: Content) -> None:
        """Remembers the content of a directory whose listing has this fingerprint."""
        self._remember_directory(fingerprint, content)
        row = (fingerprint, content.oid, content.size, content.nfiles, _today())
        self._unwritten.add(_DIRECTORY, [row], (content.nfiles or 0) * PER_FILE)

    def created(self, root: str) -> list[tuple[str, Content]]:
        """The paths that were created below `root`, each with its content then."""
        self._unwritten.write()
        below = os.fsencode(root.rstrip("/")) + b"/"
        rows = self._database.read(
            "SELECT path, oid, legacy FROM created WHERE path > ? AND path < ?",
            (below, below[:-1] + b"0"),  # what comes after the slash
        )
        return [
            (os.fsdecode(path), Content(oid=Oid(oid), legacy=bool(legacy)))
            for path, oid, legacy in rows
        ]

    def record_created(self, path: str, content: Content) -> None:
        """Remembers that `path` was made to hold `content`."""
        self._unwritten.add(_CREATED, [(os.fsencode(path), content.oid, content.legacy)])

    def forget_created(self, paths: Iterable[str]) -> None:
        """Forgets what was left at these paths."""
        self._unwritten.add(_FORGET, [(os.fsencode(path),) for path in paths])

    def close(self) -> None:
        """Writes what is not written yet, drops old records if there are too many, and releases
        the database.
        """
        self._unwritten.write()
        if self._database.is_larger_than(MAX_BYTES):
            old = [(_today(),)]
            tables = ("files", "directories")
            self._database.write({f"DELETE FROM {name} WHERE day < ?": old for name in tables})
            if self._database.is_larger_than(MAX_BYTES):
                self._database.write({"DELETE FROM files": [()]})
        self._database.close()

    def _look_up(self, stats: Sequence[os.stat_result], legacy: bool) -> dict[_Inode, _State]:
        rows: dict[_Inode, _State] = {}
        for dev in {found.st_dev for found in stats}:
            wanted = [_signed(found.st_ino) for found in stats if found.st_dev == dev]
            for start in range(0, len(wanted), _BATCH):
                batch = wanted[start : start + _BATCH]
                marks = ",".join("?" * len(batch))
                query = (
                    "SELECT ino, size, mtime, ctime, oid FROM files"
                    f" WHERE dev = ? AND legacy = ? AND ino IN ({marks})"
                )
                for ino, *state in self._database.read(query, (_signed(dev), legacy, *batch)):
                    rows[dev, ino % _UNSIGNED, legacy] = tuple(state)
        self._remember(rows)
        return rows

    def _remember(self, states: dict[_Inode, _State]) -> None:
        # Of many files at once there is a record of their directory: it will be asked for first.
        if len(states) <= _FEW:
            if len(self._files) > _REMEMBERED:
                self._files = {}
            self._files.update(states)

    def _remember_directory(self, fingerprint: str, content: Content) -> Content:
        if len(self._directories) > _REMEMBERED:
            self._directories = {}
        self._directories[fingerprint] = content
        return content


class _Unwritten:
    """Rows that are not in the database yet. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._batches: dict[str, list[Sequence[object]]] = {}
        self._weight = 0
        self._since = 0.0

    def add(self, statement: str, rows: Sequence[Sequence[object]], weight: int = 0) -> None:
        """Has `rows` written with `statement` before long; `weight` is what they cost to find out,
        in bytes hashed.
        """
        if not rows:
            return
        with self._lock:
            now = time.monotonic()
            if not self._batches:
                self._since = now
            self._batches.setdefault(statement, []).extend(rows)
            self._weight += weight
            is_due = self._weight >= _WORTH_WRITING or now - self._since > _LATEST_S
        if is_due:
            self.write()

    def write(self) -> None:
        """Writes all there is. What the database does not take is lost: it would not later."""
        with self._lock:
            batches, self._batches, self._weight = self._batches, {}, 0
        if batches:
            self._database.write(batches)


def _matching(state: _State | None, found: os.stat_result) -> FileRecord | None:
    if state is None:
        return None
    size, mtime, ctime, oid = state
    if (size, mtime) != (found.st_size, found.st_mtime_ns):
        return None
    return FileRecord(oid, ctime == found.st_ctime_ns)


_UNSIGNED = 1 << 64


def _signed(number: int) -> int:
    """Device and inode numbers have 64 bits, SQLite's integers 63 and a sign."""
    return number - _UNSIGNED if number >= 1 << 63 else number


def _today() -> int:
    return int(time.time()) // _DAY_S
