"""Removing outputs before a run, and turning links into files of their own."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from exprun.store.links import copy_file, publish


def remove(path: str) -> None:
    """Removes a file, a symlink (not its target) or a whole directory, if there is one.

    `path` is taken as confined already. Directories are opened without following symlinks, so
    swapping one in meanwhile leads nowhere. Raises OSError.
    """
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            parent = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _remove_directory(os.path.basename(path), parent)
            finally:
                os.close(parent)
        else:
            os.unlink(path)


def unprotect(path: str, mode: int) -> None:
    """Makes `path`, or every file below it, a file of its own with this mode.

    Hard links and symlinks are replaced by copies of what they lead to. Raises OSError.
    """
    if not os.path.isdir(path):
        _unprotect_file(path, mode)
        return
    for directory, _, names in os.walk(path, onerror=_raise):
        for name in names:
            _unprotect_file(f"{directory}/{name}", mode)


def replace_by_copy(path: str) -> None:
    """Replaces `path` by a copy of the file it is or leads to, never absent in between."""
    temporary = f"{os.path.dirname(path)}/.{os.urandom(8).hex()}.tmp"
    copy_file(path, temporary)
    publish(temporary, path)


def _unprotect_file(path: str, mode: int) -> None:
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode) or found.st_nlink > 1:
        replace_by_copy(path)
    os.chmod(path, mode)


def _remove_directory(name: str, parent: int) -> None:
    fd = _open_directory(name, parent)
    try:
        with os.scandir(fd) as found:
            entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
        for entry, is_directory in entries:
            if is_directory:
                _remove_directory(entry, fd)
            else:
                os.unlink(entry, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent)


def _open_directory(name: str, parent: int) -> int:
    """Opens a directory so that it can be emptied, even if a stage made it read-only."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=parent)
    except PermissionError:
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
        fd = os.open(name, flags, dir_fd=parent)
    if os.fstat(fd).st_mode & stat.S_IRWXU != stat.S_IRWXU:
        # If the directory is not ours, emptying it will say so.
        with suppress(PermissionError):
            os.fchmod(fd, stat.S_IRWXU)
    return fd


def _raise(error: OSError) -> None:
    raise error
