"""Files read and written whole, in as few system calls as it takes.

What is read is a file: a FIFO, which nobody may ever write to, or a device would be waited for
without end.
"""

from __future__ import annotations

import errno
import os
import stat

from exprun.model.files import naming

_CHUNK = 1 << 20


def read_file(path: str, *, flags: int = 0) -> bytes:
    """What the file at `path` holds; `flags` are for opening it.

    Raises OSError as `open` does, and where `only_files` does.
    """
    return read_with_mtime(path, flags=flags)[0]


def read_with_mtime(path: str, *, flags: int = 0) -> tuple[bytes, int]:
    """As `read_file`, with the time in nanoseconds at which it was written to before that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
    try:
        with naming(path):
            found = os.fstat(descriptor)
            require_file(found.st_mode, path)
            # One byte more than it has shows whether it has grown.
            data = os.read(descriptor, found.st_size + 1)
            while len(data) != found.st_size and (more := os.read(descriptor, _CHUNK)):
                data += more
            return data, found.st_mtime_ns
    finally:
        os.close(descriptor)


def only_files(path: str, flags: int) -> int:
    """An opener for reading. Raises OSError for a FIFO, a device or a directory."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    try:
        require_file(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def require_file(mode: int, path: str) -> None:
    """Raise OSError for what would never be read to its end, and for a directory."""
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "Not a regular file", path)


def write_all(descriptor: int, data: bytes) -> None:
    """Write `data`, however many calls that takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
