"""The SQLite file of the stat records: opened when first needed, written to in one transaction.

What it holds are hints. A database that is damaged, locked or read-only costs time, never a result,
so nothing here raises: SQLite's errors turn the database, or writing to it, off.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

NAME = "stat.sqlite"

_VERSION = 1
_BUSY_S = 2.0
_SCHEMA = """
CREATE TABLE files (
    dev INTEGER, ino INTEGER, legacy INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER,
    oid TEXT, day INTEGER, PRIMARY KEY (dev, ino, legacy)) WITHOUT ROWID;
CREATE TABLE directories (
    fingerprint TEXT PRIMARY KEY, oid TEXT, size INTEGER, nfiles INTEGER, day INTEGER
    ) WITHOUT ROWID;
CREATE TABLE created (path BLOB PRIMARY KEY, oid TEXT, legacy INTEGER) WITHOUT ROWID;
"""


class Database:
    """The database in one directory, shared by threads and processes; None is an empty one."""

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._writable = directory is not None
        self._repairs = 1

    def read(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that answer `query`; none if they cannot be had."""
        return self._attempt(lambda db: db.execute(query, values).fetchall()) or []

    def write(self, batches: Mapping[str, Sequence[Sequence[object]]]) -> None:
        """Execute each statement with each of its rows, all of it or, if that cannot be, nothing.

        A neighbour that holds the lock for long has us lose what was to be written.
        """
        if not self._writable:
            return

        def execute(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            with db:
                for statement, rows in batches.items():
                    db.executemany(statement, rows)

        self._attempt(execute, writing=True)

    def is_larger_than(self, limit: int) -> bool:
        """Whether an open database holds more than `limit` bytes."""
        with self._lock:
            if self._directory is None or self._connection is None:
                return False
            path = os.path.join(self._directory, NAME)
            if sum(_size(path + suffix) for suffix in ("", "-wal")) <= limit:
                return False
            pages, free, size = (
                self._pragma(name) for name in ("page_count", "freelist_count", "page_size")
            )
            return (pages - free) * size > limit

    def close(self) -> None:
        """Release the database; it is opened again when needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _pragma(self, name: str) -> int:
        rows = self.read(f"PRAGMA {name}")
        return int(rows[0][0]) if rows else 0

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
                if _passes(error):
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

            path = os.path.join(directory, NAME)
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
        """Delete a damaged database, once; a second one turns it off."""
        self.close()
        if self._directory is not None and self._repairs:
            self._repairs -= 1
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    os.unlink(os.path.join(self._directory, NAME + suffix))
        else:
            self._directory = None


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


def _passes(error: sqlite3.OperationalError) -> bool:
    """Whether a neighbour is busy: no space, no permission and the like stay."""
    import sqlite3

    # What the module raises itself has no code; the upper bytes of one only say more of the same.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
