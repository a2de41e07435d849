"""The content of files that are mostly small: with a file object it would take twice as long."""

from __future__ import annotations

import os

from exprun.model.files import naming

_CHUNK = 1 << 16


def read_file(path: str, *, flags: int = 0) -> bytes:
    """The content of a file, opened with these `flags` besides those to read it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        with naming(path):
            return _read(descriptor)
    finally:
        os.close(descriptor)


def read_with_mtime(path: str) -> tuple[bytes, int]:
    """The content of a file, and the time in nanoseconds at which it was written to before that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with naming(path):
            mtime_ns = os.fstat(descriptor).st_mtime_ns
            return _read(descriptor), mtime_ns
    finally:
        os.close(descriptor)


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
