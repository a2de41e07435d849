"""The content of files that are mostly small: with a file object it would take twice as long."""

from __future__ import annotations

import os

from exprun.model.files import naming, require_file

_CHUNK = 1 << 16


def read_file(path: str, *, flags: int = 0) -> bytes:
    """The content of a file, opened with these `flags` besides those to read it.

    Raises OSError where `only_files` does.
    """
    return read_with_mtime(path, flags=flags)[0]


def read_with_mtime(path: str, *, flags: int = 0) -> tuple[bytes, int]:
    """The content of a file, and the time in nanoseconds at which it was written to before that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    try:
        with naming(path):
            found = os.fstat(descriptor)
            require_file(found.st_mode, path)
            return _read(descriptor), found.st_mtime_ns
    finally:
        os.close(descriptor)


def only_files(path: str, flags: int) -> int:
    """An opener for reading. Raises OSError for a FIFO, which nobody may ever write to, for a
    device and for a directory.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    try:
        require_file(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _read(descriptor: int) -> bytes:
    chunk = data = os.read(descriptor, _CHUNK)
    while len(chunk) == _CHUNK:
        chunk = os.read(descriptor, _CHUNK)
        data += chunk
    return data


def write_all(descriptor: int, data: bytes) -> None:
    """Write `data`, however many calls that takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
