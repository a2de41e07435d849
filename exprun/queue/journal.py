"""A file of JSON lines that several processes append to and anybody may read at any time.

Writers take turns under a kernel lock; readers take none. A line counts once it ends in a newline,
so a writer that was killed leaves at most one torn line, which the next writer ends and readers set
aside. The first line is a random name: it changes when the file is replaced by a compact one, which
tells readers to begin anew. In a compact file, what has ended is sealed: it bears a checksum, and
is not parsed before somebody asks for it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from exprun.errors import ProjectError
from exprun.model.files import naming
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

VERSION = 1
LARGEST = 256 << 20

Line = dict[str, object]


class Sealed(NamedTuple):
    """A record that is kept as it is and looked into by few: its id, and those of its attempts."""

    number: int
    id: str
    attempts: tuple[str, ...]
    text: bytes


_SEAL = b'{"v":%d,"sealed":"' % VERSION
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_encode = json.JSONEncoder(separators=(",", ":")).encode
_NOTICE_AFTER_S = 0.5
_LOCK_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class News:
    """What was appended since the last look, by line number. `anew`: forget the past.

    `damaged` are the lines that are no JSON object of this version.
    """

    anew: bool
    lines: list[tuple[int, Line | Sealed]]
    damaged: list[tuple[int, bytes]]


class Journal:
    """The journal at `path`; its directory is made for the owner only. Not thread-safe."""

    def __init__(self, path: str, *, on_wait: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._on_wait = on_wait
        self._name = b""
        self._offset = 0
        self._count = 0
        self._written: int | None = None

    def stamp(self) -> tuple[int, int, int]:
        """Changes whenever the journal does; quick."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return (0, 0, 0)
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def read(self) -> News:
        """The whole lines that were appended since the last call."""
        if self._written is not None:
            return self._read(self._written)
        try:
            descriptor = os.open(self.path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            anew, self._name, self._offset, self._count = self._name != b"", b"", 0, 0
            return News(anew, [], [])
        try:
            return self._read(descriptor)
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int) -> News:
        name = os.pread(descriptor, 100, 0).partition(b"\n")[0]
        size = os.fstat(descriptor).st_size
        if size > LARGEST:
            raise ProjectError(f"is larger than {LARGEST >> 20} MB", where=self.path)
        anew = name != self._name or size < self._offset
        if anew:
            self._name, self._offset, self._count = name, 0, 0
        data = os.pread(descriptor, size - self._offset, self._offset)
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        return self._news(anew, data.split(b"\n")[:-1])

    def _news(self, anew: bool, texts: list[bytes]) -> News:
        news = News(anew, [], [])
        if not texts:
            return news
        numbered = list(enumerate(texts, start=self._count + 1))
        found = [_read_seal(at, text) if text.startswith(_SEAL) else None for at, text in numbered]
        opened = [text for text, sealed in zip(texts, found, strict=True) if not sealed]
        lines = iter(parse_lines(opened))
        for (number, text), sealed in zip(numbered, found, strict=True):
            line = sealed or next(lines)
            if line is None:
                news.damaged.append((number, text))
            elif isinstance(line, Sealed) or "journal" not in line:
                news.lines.append((number, line))
        self._count += len(texts)
        return news

    def _take_own(self, data: bytes) -> News:
        """The news that a line is which this process has appended, with all before it read."""
        self._offset += len(data)
        self._count += 1
        # As all who read it will see it.
        return News(False, [(self._count, json.loads(data))], [])

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Be the only writer for the length of a ``with`` block. Raises ProjectError."""
        lock = self._open_lock()
        try:
            self._wait_for(lock)
            descriptor = self._open()
            try:
                _end_torn_line(descriptor)
                self._written = descriptor
                yield Writer(descriptor, self.path, self._take_own)
            finally:
                self._written = None
                os.close(descriptor)
        finally:
            os.close(lock)

    def replace(self, lines: Iterable[Line | bytes]) -> None:
        """Make the journal hold just `lines`, of which some are sealed.

        Only inside `writing`, as its last act.
        """
        self._create(lines)
        self._written = None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | _FLAGS
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            self._create([])
            return os.open(self.path, flags)

    def _create(self, lines: Iterable[Line | bytes]) -> None:
        temporary = f"{self.path}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS
        with naming(temporary), open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(format_line({"journal": os.urandom(16).hex()}))
            for line in lines:
                file.write(line + b"\n" if isinstance(line, bytes) else format_line(line))
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, self.path)
        sync_directory(os.path.dirname(self.path))

    def _open_lock(self) -> int:
        path, flags = f"{self.path}.lock", os.O_RDWR | os.O_CREAT | _FLAGS
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            return os.open(path, flags, 0o600)

    def _wait_for(self, lock: int) -> None:
        """Writers hold the lock for as long as it takes to write some lines."""
        start = time.monotonic()
        delay = 0.0005
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                waited = time.monotonic() - start
            if waited > _LOCK_LIMIT_S:
                raise ProjectError(
                    "another process has been writing to the queue for a minute",
                    where=self.path,
                    hint=f"is it stopped? find it with: fuser -v {self.path}.lock",
                )
            if waited > _NOTICE_AFTER_S and not told and self._on_wait is not None:
                self._on_wait("another process to release the queue")
                told = True
            time.sleep(delay)
            delay = min(delay * 2, 0.05)


class Writer:
    """Appends to a journal. What was appended survives a kill; `sync` makes it survive all."""

    def __init__(self, descriptor: int, path: str, take: Callable[[bytes], News]) -> None:
        self._descriptor = descriptor
        self._path = path
        self._take = take

    def append(self, line: Line) -> News:
        """Append one line whole, or raise OSError and leave the file as it was.

        What `Journal.read` would say of it; all that others wrote must have been read.
        """
        data = format_line(line)
        before = os.fstat(self._descriptor).st_size
        try:
            with naming(self._path):
                written = os.write(self._descriptor, data)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise
        return self._take(data)

    def sync(self) -> None:
        """Make everything appended so far durable."""
        with naming(self._path):
            os.fsync(self._descriptor)


def format_line(line: Line) -> bytes:
    """One line of a journal, with its newline."""
    return _encode({"v": VERSION} | line).encode("ascii") + b"\n"


def seal(line: Line, id: str, attempts: Iterable[str]) -> bytes:
    """A line, without its newline, that readers take on trust of its checksum."""
    rest = f'{" ".join((id, *attempts))}",{_encode(line)[1:]}'.encode("ascii")
    return b"%s%08x %s" % (_SEAL, crc32(rest), rest)


def _read_seal(number: int, text: bytes) -> Sealed | None:
    """A sealed line, if it is whole."""
    at = len(_SEAL) + 9
    rest = text[at:]
    if text[:at] != b"%s%08x " % (_SEAL, crc32(rest)):
        return None
    id, *attempts = rest.partition(b'"')[0].decode("ascii", "replace").split(" ")
    return Sealed(number, id, tuple(attempts), text)


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with naming(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parse_lines(texts: list[bytes]) -> list[Line | None]:
    """The JSON objects of this version; None for each line that is no such thing."""
    try:
        # Thousands of lines are read in half the time as one array.
        values = json.loads(b"[" + b",".join(texts) + b"]")
    except (ValueError, RecursionError):
        values = []
    if len(values) != len(texts):
        values = list(map(_parse, texts))
    return [
        value if isinstance(value, dict) and value.get("v") == VERSION else None for value in values
    ]


def _parse(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _end_torn_line(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.write(descriptor, b"\n")
