"""MD5 of files as DVC computes it, plain or in the legacy ``md5-dos2unix`` way."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from typing import TYPE_CHECKING

from exprun.cores import on_all
from exprun.errors import StoreError
from exprun.room import threads_that_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 256 * 1024
"""md5 is fastest here: larger buffers fall out of the CPU's cache."""

LARGE = 1024 * 1024
"""Files from this size on are worth a thread."""

EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
"""The hash of a file without content."""

# A pipe that took the place of a file must not block the open.
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_LEGACY_BLOCK = 1024 * 1024
_LEGACY_PROBE = 512
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_ATTEMPTS = 3

_local = threading.local()


def hash_bytes(data: bytes, *, legacy: bool = False) -> str:
    """The hash of `data` as the content of one file."""
    if not legacy:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    digest = hashlib.md5(usedforsecurity=False)
    for start in range(0, len(data), _LEGACY_BLOCK):
        digest.update(_fold(data[start : start + _LEGACY_BLOCK]))
    return digest.hexdigest()


def hash_file(path: str, *, legacy: bool = False) -> tuple[str, os.stat_result]:
    """The hash of a file, and the stat it had all the while.

    Raises OSError if it cannot be read, and StoreError if it is no regular file or never stands
    still.
    """
    hash_open = _hash_legacy if legacy else _hash_plain
    for _ in range(_ATTEMPTS):
        fd = os.open(path, _OPEN)
        try:
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                raise StoreError("not a regular file", where=path)
            if before.st_size < LARGE:
                oid = hash_open(fd)
            else:
                with on_all():
                    oid = hash_open(fd)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if same_data(before, after):
            return oid, after
    raise StoreError("the file keeps changing while it is hashed", where=path)


def read_file(path: str) -> tuple[bytes, os.stat_result]:
    """The bytes of a file, and its stat before they were read."""
    fd = os.open(path, _OPEN)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError("not a regular file", where=path)
        # One byte more than it has shows whether it has grown.
        data = os.read(fd, found.st_size + 1)
        while len(data) != found.st_size and (more := os.read(fd, CHUNK)):
            data += more
        return data, found
    finally:
        os.close(fd)


def hash_files(
    paths: Sequence[str], sizes: Sequence[int], *, legacy: bool = False, jobs: int = 1
) -> list[tuple[str, os.stat_result]]:
    """`hash_file` of each path; large files share `jobs` threads, small ones gain nothing by it."""
    large = [index for index, size in enumerate(sizes) if size >= LARGE]
    threads = min(jobs, len(large))
    if threads > 1:
        threads = threads_that_fit(threads)
    if threads < 2:
        return [hash_file(path, legacy=legacy) for path in paths]
    from concurrent.futures import ThreadPoolExecutor

    with on_all(), ThreadPoolExecutor(threads, thread_name_prefix="exprun-hash") as pool:
        futures = {i: pool.submit(hash_file, paths[i], legacy=legacy) for i in large}
        try:
            small = {
                i: hash_file(path, legacy=legacy)
                for i, path in enumerate(paths)
                if i not in futures
            }
            return [futures[i].result() if i in futures else small[i] for i in range(len(paths))]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def same_data(first: os.stat_result, second: os.stat_result) -> bool:
    """Whether nothing was written between two stats of one file.

    The ctime does not count: it also moves when a link to the file comes or goes.
    """
    return first.st_mtime_ns == second.st_mtime_ns and first.st_size == second.st_size


def _hash_plain(fd: int) -> str:
    buffer = _buffer()
    count = os.readv(fd, [buffer])
    digest = hashlib.md5(buffer[:count], usedforsecurity=False)
    while count:
        count = os.readv(fd, [buffer])
        # hashlib lets other threads run while it works on a buffer of this size.
        digest.update(buffer[:count])
    return digest.hexdigest()


def _buffer() -> memoryview:
    try:
        return _local.buffer  # type: ignore[no-any-return]
    except AttributeError:
        import mmap

        # A page's beginning: where malloc puts a large buffer, 16 bytes after one, the kernel takes
        # four times as long to copy into it.
        _local.buffer = memoryview(mmap.mmap(-1, CHUNK))
        return _local.buffer  # type: ignore[no-any-return]


def _hash_legacy(fd: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(fd, "rb", buffering=_LEGACY_BLOCK, closefd=False) as file:
        # The format folds block by block: short reads would give other hashes.
        while block := file.read(_LEGACY_BLOCK):
            digest.update(_fold(block))
    return digest.hexdigest()


def _fold(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n") if _is_text(block[:_LEGACY_PROBE]) else block


def _is_text(probe: bytes) -> bool:
    if b"\0" in probe:
        return False
    odd = probe.translate(None, _TEXT)
    return len(odd) <= 0.30 * len(probe)
