"""Writing the files of a tree into a directory, and telling later which are still as written.

Nothing is ever written through a symlink, nor over a file that was not looked at first, and no path
of a tree reaches ``.git`` or leaves the directory, whatever the tree says.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from exprun.content import write_all
from exprun.errors import GitError
from exprun.git.index_file import IndexEntry, stat_of
from exprun.git.tree import EXECUTABLE, FILE, GITLINK, SYMLINK, Entry
from exprun.model.files import naming
from exprun.model.patterns import pattern
from exprun.store.removal import remove
from exprun.workspaces.overwriting import overwrite

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping

    from exprun.git.objects import ObjectStore

# ``.git`` as HFS+ and NTFS would also read it.
_DOT_GIT = pattern(r"\.git[ .]*|git~1[ .]*", re.IGNORECASE)
_FILES = frozenset({FILE, EXECUTABLE})
_IGNORABLE = pattern("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


class Writer:
    """Writes files below one directory that nobody else writes to.

    `over` has the permissions of the files that may be written over.
    """

    def __init__(
        self, root: str, objects: ObjectStore, *, over: Mapping[str, int] | None = None
    ) -> None:
        self._root = root
        self._objects = objects
        self._over = over or {}
        self._directories = {""}

    def write(self, path: str, entry: Entry) -> IndexEntry:
        """Make what a tree holds at `path`: a file, a symlink, or a submodule's empty directory.

        What is returned tells later whether it is still as written. The path must be free: raises
        GitError if it is not, or if it may not be written.
        """
        check_path(path)
        directory = path.rpartition("/")[0]
        if directory not in self._directories:
            self._make_directory(directory)
        full = f"{self._root}/{path}"
        try:
            if entry.mode == GITLINK:
                self._make_directory(path)
            elif entry.mode == SYMLINK:
                os.symlink(self._objects.read(entry.oid, "blob"), os.fsencode(full))
            else:
                data = self._objects.read(entry.oid, "blob")
                known = self._over.get(path)
                if known is None or not overwrite(full, data, known):
                    write_file(full, data, entry.mode)
        except FileExistsError as error:
            raise GitError("a git tree holds one path twice", where=path) from error
        return IndexEntry(path, *entry, stat_of(os.lstat(full)))

    def _make_directory(self, path: str) -> None:
        if path in self._directories:
            return
        self._make_directory(path.rpartition("/")[0])
        full = f"{self._root}/{path}"
        try:
            os.mkdir(full)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(full).st_mode):
                raise GitError("a git tree holds a path below a file", where=path) from None
        self._directories.add(path)


def write_file(full: str, data: bytes, mode: int) -> None:
    """Create a file, executable if Git's mode is. Raises FileExistsError if there is something."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(full, flags, permissions_of(mode))
    try:
        with naming(full):
            write_all(descriptor, data)
    finally:
        os.close(descriptor)


def permissions_of(mode: int) -> int:
    """What a new file of Git's `mode` may be used for, before the umask."""
    return 0o777 if mode == EXECUTABLE else 0o666


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


class Cleaning:
    """Removes what is below `root` but for `kept` files that are still as written.

    After `run`, these are in `stay`, and in `over` are files that others `wanted` may be written
    over, with the permissions of those. A file whose times are not before `racy_from_ns` might have
    been changed since without showing it. ``.git`` at the top and files that are `spared` are not
    touched, nor is what is to be left, unless it is in the way of a tree's file: what there is of
    that is in `left`.
    """

    def __init__(
        self,
        root: str,
        kept: Mapping[str, IndexEntry],
        wanted: Mapping[str, Entry],
        *,
        spared: Collection[str],
        left: Collection[str] = (),
        racy_from_ns: int,
        umask: int,
    ) -> None:
        self.stay: set[str] = set()
        self.over: dict[str, int] = {}
        self.left: list[str] = []
        self._root = root
        self._kept = kept
        self._wanted = wanted
        self._spared = spared
        directories = _directories_above(wanted)
        self._leave = {path for path in left if _is_apart(path, wanted, directories)}
        self._directories = directories | _directories_above(self._leave)
        self._racy_from_ns = racy_from_ns
        self._umask = umask

    def run(self, prefix: str = "") -> None:
        """Clean the directory `prefix`, which ends with a slash unless it is the root."""
        for item in list(os.scandir(f"{self._root}/{prefix}")):
            path = prefix + item.name
            if path == ".git":
                continue
            if path in self._leave:
                self.left.append(path)
                continue
            if item.is_dir(follow_symlinks=False):
                if path in self._directories:
                    self._give_usual_mode(item)
                    self.run(path + "/")
                else:
                    remove_tree(item.path)
                continue
            kept = self._kept.get(path)
            if kept is not None and self._is_as_written(kept, item.stat(follow_symlinks=False)):
                self.stay.add(path)
                continue
            wanted = self._wanted.get(path)
            if not item.is_file(follow_symlinks=False):
                os.unlink(item.path)
            elif wanted and wanted.mode in _FILES:
                self.over[path] = permissions_of(wanted.mode) & ~self._umask
            elif path not in self._spared:
                os.unlink(item.path)

    def _give_usual_mode(self, directory: os.DirEntry[str]) -> None:
        """What a stage did to a directory of the tree must not be in another's way."""
        mode = stat.S_IMODE(directory.stat(follow_symlinks=False).st_mode)
        # Bits beyond these are inherited from the directory above.
        usual = mode & ~0o777 | 0o777 & ~self._umask
        if mode != usual:
            os.chmod(directory.path, usual)

    def _is_as_written(self, written: IndexEntry, found: os.stat_result) -> bool:
        return (
            stat_of(found) == written.stat
            and found.st_mtime_ns < self._racy_from_ns > found.st_ctime_ns
        )


def remove_tree(path: str) -> None:
    """Remove a directory and all below it, also what a stage made read-only.

    What links lead to stays, also if `path` is one. Raises OSError once all that can be removed is
    gone.
    """
    try:
        _remove_tree(path)
    except (OSError, RecursionError):  # It may be nested too deeply for that.
        remove(path)


def _remove_tree(path: str) -> None:
    if os.path.islink(path):
        os.unlink(path)
        return
    try:
        items = list(os.scandir(path))
    except PermissionError:
        os.chmod(path, 0o700)
        items = list(os.scandir(path))
    except FileNotFoundError:
        return
    failure: OSError | RecursionError | None = None
    for item in items:
        try:
            _remove_from(path, item)
        except (OSError, RecursionError) as error:
            failure = failure or error
    if failure is not None:
        raise failure
    os.rmdir(path)


def _remove_from(directory: str, item: os.DirEntry[str]) -> None:
    remove_it = _remove_tree if item.is_dir(follow_symlinks=False) else os.unlink
    try:
        remove_it(item.path)
    except PermissionError:
        os.chmod(directory, 0o700)
        remove_it(item.path)


def _is_apart(path: str, wanted: Container[str], directories: Container[str]) -> bool:
    """Whether a path is none of the wanted ones, nor above or below one."""
    is_above_or_one = path in wanted or path in directories
    return not (is_above_or_one or any(path[:at] in wanted for at in _slashes(path)))


def _directories_above(paths: Iterable[str]) -> set[str]:
    """All directories that paths lie in, but for the root."""
    found: set[str] = set()
    for directory in {path.rpartition("/")[0] for path in paths}:
        above = directory
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _slashes(path: str) -> list[int]:
    return [at for at, char in enumerate(path) if char == "/"]
