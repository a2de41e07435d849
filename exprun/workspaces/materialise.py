"""Writing the files of a tree into a directory, and telling later which are still as written.

Nothing is ever written through a symlink or over an existing file, and no path of a tree reaches
``.git`` or leaves the directory, whatever the tree says.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from exprun.errors import GitError
from exprun.git.index_file import Stat
from exprun.git.tree import EXECUTABLE, GITLINK, SYMLINK, Entry
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exprun.git.objects import ObjectStore

# ``.git`` as HFS+ and NTFS would also read it.
_DOT_GIT = re.compile(r"\.git[ .]*|git~[0-9]+[ .]*", re.IGNORECASE)
_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file as it was written; `stat` is how to see that it still is."""

    entry: Entry
    stat: Stat


class Writer:
    """Writes files below one directory that nobody else writes to."""

    def __init__(self, root: str, objects: ObjectStore) -> None:
        self._root = root
        self._objects = objects
        self._directories = {""}

    def write(self, path: str, entry: Entry) -> Written:
        """Make what a tree holds at `path`: a file, a symlink, or a submodule's empty directory.

        The path must be free. Raises GitError if it is not, or if it may not be written.
        """
        check_path(path)
        self._make_directory(os.path.dirname(path))
        full = f"{self._root}/{path}"
        try:
            if entry.mode == GITLINK:
                self._make_directory(path)
            elif entry.mode == SYMLINK:
                os.symlink(self._objects.read(entry.oid, "blob"), os.fsencode(full))
            else:
                write_file(full, self._objects.read(entry.oid, "blob"), entry.mode)
        except FileExistsError as error:
            raise GitError("a git tree holds one path twice", where=path) from error
        return Written(entry=entry, stat=Stat.of(os.lstat(full)))

    def _make_directory(self, path: str) -> None:
        if path in self._directories:
            return
        self._make_directory(os.path.dirname(path))
        full = f"{self._root}/{path}"
        try:
            os.mkdir(full)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(full).st_mode):
                raise GitError("a git tree holds a path below a file", where=path) from None
        self._directories.add(path)


def write_file(full: str, data: bytes, mode: int) -> None:
    """Create a file, executable if Git's mode is. Raises FileExistsError if there is something."""
    permissions = 0o777 if mode == EXECUTABLE else 0o666
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(full, flags, permissions)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def check_path(path: str) -> None:
    """Raise GitError unless a tree may hold `path`."""
    for name in path.split("/"):
        if name in ("", ".", "..") or (
            name[0] in ".gG\u200c\u200d\u200e\u200f\ufeff" and is_git_directory(name)
        ):
            raise GitError("a git tree holds a path that may not be written", where=path)


def is_git_directory(name: str) -> bool:
    """Whether some file system takes `name` for ``.git``."""
    return _DOT_GIT.fullmatch(_IGNORABLE.sub("", name)) is not None


def remove_all_but(root: str, kept: Mapping[str, Written], *, racy_from_ns: int) -> set[str]:
    """Remove all below `root` except `kept` files that are still as written; the paths that stay.

    A file whose times are not before `racy_from_ns` might have been changed since without showing
    it, so it goes too. ``.git`` at the top is left to the caller.
    """
    stay: set[str] = set()
    directories = {path[:at] for path in kept for at in _slashes(path)}
    _clean(root, "", kept, directories, racy_from_ns, stay)
    return stay


def _clean(
    root: str,
    prefix: str,
    kept: Mapping[str, Written],
    directories: Iterable[str],
    racy_from_ns: int,
    stay: set[str],
) -> None:
    for item in list(os.scandir(f"{root}/{prefix}")):
        path = prefix + item.name
        if path == ".git":
            continue
        if item.is_dir(follow_symlinks=False):
            if path in directories:
                _clean(root, path + "/", kept, directories, racy_from_ns, stay)
            else:
                remove_tree(item.path)
            continue
        written = kept.get(path)
        found = item.stat(follow_symlinks=False)
        if (
            written is not None
            and Stat.of(found) == written.stat
            and max(found.st_mtime_ns, found.st_ctime_ns) < racy_from_ns
        ):
            stay.add(path)
        else:
            os.unlink(item.path)


def remove_tree(path: str) -> None:
    """Remove a directory and all below it, also what a stage made read-only; links stay links."""
    try:
        items = list(os.scandir(path))
    except PermissionError:
        os.chmod(path, 0o700)
        items = list(os.scandir(path))
    except FileNotFoundError:
        return
    for item in items:
        remove = remove_tree if item.is_dir(follow_symlinks=False) else os.unlink
        try:
            remove(item.path)
        except PermissionError:
            os.chmod(path, 0o700)
            remove(item.path)
    os.rmdir(path)


def _slashes(path: str) -> list[int]:
    return [at for at, char in enumerate(path) if char == "/"]
