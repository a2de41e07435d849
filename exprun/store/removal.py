"""Removing outputs before a run, and turning links into files of their own."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from exprun.store.links import copy_file, publish

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def remove(path: str) -> None:
    """Removes a file, a symlink (not its target) or a whole directory, if there is one.

    `path` is taken as confined already. Directories are opened without following symlinks, so
    swapping one in meanwhile leads nowhere. Raises OSError.
    """
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            parent = os.open(os.path.dirname(path), _DIRECTORY)
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
    """Empties and removes a directory of any depth: one is open at a time, and the way back up is
    taken only if it leads to where we came from.
    """
    at = os.dup(parent)
    way: list[tuple[str, os.stat_result, list[str]]] = []
    pending = [name]
    try:
        while pending or way:
            if pending:
                name = pending.pop()
                way.append((name, os.fstat(at), pending))
                at = _instead_of(at, _open_directory(name, at))
                pending = _unlink_files(at)
            else:
                name, above, pending = way.pop()
                at = _instead_of(at, os.open("..", _DIRECTORY, dir_fd=at))
                if not os.path.samestat(os.fstat(at), above):
                    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), name)
                os.rmdir(name, dir_fd=at)
    finally:
        os.close(at)


def _instead_of(old: int, new: int) -> int:
    os.close(old)
    return new


def _unlink_files(fd: int) -> list[str]:
    """Removes all but directories from a directory; the names of these."""
    with os.scandir(fd) as found:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
    for name, is_directory in entries:
        if not is_directory:
            os.unlink(name, dir_fd=fd)
    return [name for name, is_directory in entries if is_directory]


def _open_directory(name: str, parent: int) -> int:
    """Opens a directory so that it can be emptied, even if a stage made it read-only."""
    flags = _DIRECTORY | os.O_NOFOLLOW
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
