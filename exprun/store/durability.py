"""Making files durable in one go, rather than with an fsync after each write."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_FEW = 16
"""Up to here single fsyncs are cheaper than flushing a whole file system."""


def sync_files(paths: Collection[str]) -> None:
    """Returns once the files, and their names in their directories, are on disk.

    Raises OSError, FileNotFoundError included.
    """
    directories = {os.path.dirname(path) for path in paths}
    directories |= {os.path.dirname(path) for path in directories}
    if len(paths) > _FEW and _sync_file_systems(directories):
        return
    # On Linux, a file that is synced takes the names on the way to it along.
    for path in (*paths, *(directories if sys.platform != "linux" else ())):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _sync_file_systems(directories: Collection[str]) -> bool:
    """Flushes the file systems that hold these directories; False if that cannot be done."""
    if sys.platform != "linux":
        return False
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return False
    for directory in {os.stat(path).st_dev: path for path in directories}.values():
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if syncfs(fd):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), directory)
        finally:
            os.close(fd)
    return True
