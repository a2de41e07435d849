"""Remembering hashes by inode, so that unchanged data is hashed once for all workspaces.

A *file record* says: this inode, with this size, mtime and ctime, has this hash. A *directory
record* maps the fingerprint of a listing to the directory's hash. A *creation record* says what
exprun last left at a path.

Records are hints. A database that is damaged, locked or read-only costs time, never a result, so
nothing here raises: SQLite's errors turn the cache, or its writing, off.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from exprun.model.lock import Content, Oid

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")

DATABASE = "stat.sqlite"
MAX_BYTES = 400 * 1024 * 1024
"""Beyond this records not renewed today are dropped: room for some four million files."""

_VERSION = 1
_BUSY_S = 2.0
_BATCH = 500
_DAY_S = 86_400
_SCHEMA = """
CREATE TABLE files (
    dev INTEGER, ino INTEGER, legacy INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER,
    oid TEXT, day INTEGER, PRIMARY KEY (dev, ino, legacy)) WITHOUT ROWID;
CREATE TABLE directories (
    fingerprint TEXT PRIMARY KEY, oid TEXT, size INTEGER, nfiles INTEGER, day INTEGER
    ) WITHOUT ROWID;
CREATE TABLE created (path BLOB PRIMARY KEY, oid TEXT, legacy INTEGER) WITHOUT ROWID;
"""


class FileRecord(NamedTuple):
    """A remembered hash; `exact` unless only the ctime has moved since."""

    oid: Oid
    exact: bool


class StatCache:
    """The records under one directory, shared by threads and processes.

    `directory` None keeps nothing.
    """

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._writable = directory is not None
        self._repairs = 1

    def files(
        self, stats: Sequence[os.stat_result], *, legacy: bool = False
    ) -> list[FileRecord | None]:
        """The record of each file, as far as it still describes that file."""
        if not stats:
            return []
        rows: dict[tuple[int, int], tuple[int, int, int, str]] = {}
        for dev, inodes in _inodes_by_device(stats).items():
            for start in range(0, len(inodes), _BATCH):
                batch = inodes[start : start + _BATCH]
                marks = ",".join("?" * len(batch))
                query = (
                    "SELECT ino, size, mtime, ctime, oid FROM files"
                    f" WHERE dev = ? AND legacy = ? AND ino IN ({marks})"
                )
                for ino, *row in self._read(query, (dev, legacy, *batch)):
                    rows[dev, ino] = tuple(row)
        if not rows:
            return [None] * len(stats)
        return [_matching(rows.get((_signed(s.st_dev), _signed(s.st_ino))), s) for s in stats]

    def record_files(
        self, records: Iterable[tuple[os.stat_result, Oid]], *, legacy: bool = False
    ) -> None:
        """Remembers the hash of each file as it is under that stat.

        The caller makes sure that a later change will show in the stat (`clock.horizon`).
        """
        today = _today()
        self._write(
            "INSERT OR REPLACE INTO files (dev, ino, legacy, size, mtime, ctime, oid, day)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    _signed(found.st_dev),
                    _signed(found.st_ino),
                    legacy,
                    found.st_size,
                    found.st_mtime_ns,
                    found.st_ctime_ns,
                    oid,
                    today,
                )
                for found, oid in records
            ],
        )

    def directory(self, fingerprint: str) -> Content | None:
        """The content of a directory whose listing has this fingerprint."""
        for oid, size, nfiles in self._read(
            "SELECT oid, size, nfiles FROM directories WHERE fingerprint = ?", (fingerprint,)
        ):
            return Content(oid=Oid(oid), size=size, nfiles=nfiles)
        return None

    def record_directory(self, fingerprint: str, content: Content) -> None:
        """Remembers the content of a directory whose listing has this fingerprint."""
        self._write(
            "INSERT OR REPLACE INTO directories (fingerprint, oid, size, nfiles, day)"
            " VALUES (?, ?, ?, ?, ?)",
            [(fingerprint, content.oid, content.size, content.nfiles, _today())],
        )

    def created(self, root: str) -> list[tuple[str, Content]]:
        """The paths that were created below `root`, each with its content then."""
        below = os.fsencode(root.rstrip("/")) + b"/"
        rows = self._read(
            "SELECT path, oid, legacy FROM created WHERE path > ? AND path < ?",
            (below, below[:-1] + b"0"),  # what comes after the slash
        )
        return [
            (os.fsdecode(path), Content(oid=Oid(oid), legacy=bool(legacy)))
            for path, oid, legacy in rows
        ]

    def record_created(self, path: str, content: Content) -> None:
        """Remembers that `path` was made to hold `content`."""
        self._write(
            "INSERT OR REPLACE INTO created (path, oid, legacy) VALUES (?, ?, ?)",
            [(os.fsencode(path), content.oid, content.legacy)],
        )

    def forget_created(self, paths: Iterable[str]) -> None:
        """Forgets what was left at these paths."""
        self._write("DELETE FROM created WHERE path = ?", [(os.fsencode(path),) for path in paths])

    def close(self) -> None:
        """Drops old records if there are too many, and releases the database."""
        with self._lock:
            if self._connection is not None and self._bytes_used() > MAX_BYTES:
                for table in ("files", "directories"):
                    self._write(f"DELETE FROM {table} WHERE day < ?", [(_today(),)])
                if self._bytes_used() > MAX_BYTES:
                    self._write("DELETE FROM files", [()])
            self._disconnect()

    def _bytes_used(self) -> int:
        pragmas = ("page_count", "freelist_count", "page_size")
        values = [self._read(f"PRAGMA {name}", ()) for name in pragmas]
        pages, free, size = (rows[0][0] if rows else 0 for rows in values)
        return int((pages - free) * size)

    def _read(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._attempt(lambda db: db.execute(query, values).fetchall()) or []

    def _write(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        if not rows or not self._writable:
            return

        def write(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            with db:
                db.executemany(statement, rows)

        self._attempt(write, writing=True)

    def _attempt(
        self, action: Callable[[sqlite3.Connection], T], *, writing: bool = False
    ) -> T | None:
        with self._lock:
            if self._directory is None:
                return None
            import sqlite3

            try:
                return action(self._connect(self._directory))
            except sqlite3.OperationalError as error:
                # A busy neighbour passes; no space, no permission and the like stay.
                if "locked" in str(error):
                    return None
                if self._connection is None:
                    self._directory = None
                elif writing:
                    self._writable = False
            except sqlite3.DatabaseError:
                self._start_over()
        return None

    def _connect(self, directory: str) -> sqlite3.Connection:
        if self._connection is None:
            import sqlite3

            path = os.path.join(directory, DATABASE)
            try:
                os.makedirs(directory, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            except OSError as error:
                raise sqlite3.OperationalError(str(error)) from error
            connection = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _start_over(self) -> None:
        """Deletes a damaged database, once; a second one turns the cache off."""
        self._disconnect()
        if self._directory is not None and self._repairs:
            self._repairs -= 1
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    os.unlink(os.path.join(self._directory, DATABASE + suffix))
        else:
            self._directory = None

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if _version(connection) == _VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        if _version(connection) == _VERSION:
            return
        for table in ("files", "directories", "created"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")


def _version(connection: sqlite3.Connection) -> object:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _inodes_by_device(stats: Sequence[os.stat_result]) -> dict[int, list[int]]:
    inodes: dict[int, list[int]] = {}
    for found in stats:
        inodes.setdefault(_signed(found.st_dev), []).append(_signed(found.st_ino))
    return inodes


def _matching(row: tuple[int, int, int, str] | None, found: os.stat_result) -> FileRecord | None:
    if row is None:
        return None
    size, mtime, ctime, oid = row
    if (size, mtime) != (found.st_size, found.st_mtime_ns):
        return None
    return FileRecord(Oid(oid), ctime == found.st_ctime_ns)


def _signed(number: int) -> int:
    """Device and inode numbers have 64 bits, SQLite's integers 63 and a sign."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _today() -> int:
    return int(time.time()) // _DAY_S
