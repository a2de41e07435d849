"""Turning the files of the user's worktree from one tree into another; the index is left alone."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import UsageError
from exprun.git.tree import GITLINK, Entry, changes_between, files_of
from exprun.model.values import dataclass
from exprun.workspaces.checkout import write_files
from exprun.workspaces.materialise import check_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exprun.git.repository import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """Files to be removed from and added to a worktree, so that it holds the tree `new`."""

    repository: Repository
    new: str
    removed: frozenset[str]
    added: frozenset[str]

    def carry_out(self) -> None:
        """Remove and write them. Ignored files give way."""
        workdir = self.repository.workdir
        for path in sorted(self.removed | self.added):
            _remove(workdir, path)
        _remove_empty_directories(workdir, self.removed - self.added)
        wanted = files_of(self.repository.objects, self.new)
        write_files(self.repository, self.repository, wanted, wanted.keys() - self.added)


def plan_replacement(repository: Repository, old: str, new: str) -> Replacement:
    """How the worktree, which holds the tree `old` besides ignored files, comes to hold `new`.

    Submodules stay as they are. Raises GitError for a path that may not be written, UsageError for
    one that cannot be because something ignored is there that is not just a file.
    """
    changes = [
        change
        for change in changes_between(repository.objects, old, new)
        if not any(entry is not None and entry.mode == GITLINK for entry in change[1:])
    ]
    added = frozenset(path for path, _, after in changes if after is not None)
    removed = frozenset(path for path, before, _ in changes if before is not None)
    for path in added:
        check_path(path)
        _check_way(repository.workdir, path, removed)
    return Replacement(repository=repository, new=new, removed=removed, added=added)


def _check_way(workdir: str, path: str, removed: frozenset[str]) -> None:
    """Raise UsageError if something that Git does not know stands where `path` is to be."""
    parts = path.split("/")
    for length in range(1, len(parts)):
        above = "/".join(parts[:length])
        mode = _mode(f"{workdir}/{above}")
        if mode is None or above in removed:
            return
        if not stat.S_ISDIR(mode):
            raise UsageError(f"'{above}' is in the way of '{path}'", hint=f"move {above} away")
    mode = _mode(f"{workdir}/{path}")
    if mode is not None and stat.S_ISDIR(mode) and not _holds_only(workdir, path, removed):
        raise UsageError(f"the directory '{path}' is in the way", hint=f"move {path} away")


def _holds_only(workdir: str, directory: str, removed: frozenset[str]) -> bool:
    for entry in os.scandir(f"{workdir}/{directory}"):
        path = f"{directory}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if not _holds_only(workdir, path, removed):
                return False
        elif path not in removed:
            return False
    return True


def _remove(workdir: str, path: str) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        full = f"{workdir}/{path}"
        if os.path.isdir(full) and not os.path.islink(full):
            _remove_empty_tree(full)
        else:
            os.unlink(full)


def _remove_empty_tree(full: str) -> None:
    for directory, _, _ in os.walk(full, topdown=False):
        with suppress(OSError):
            os.rmdir(directory)


def _remove_empty_directories(workdir: str, removed: Iterable[str]) -> None:
    """As Git, remove the directories in which nothing is left."""
    for path in sorted(removed, reverse=True):
        above = os.path.dirname(path)
        with suppress(OSError):
            while above:
                os.rmdir(f"{workdir}/{above}")
                above = os.path.dirname(above)


def _mode(full: str) -> int | None:
    try:
        return os.lstat(full).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def carried_over(repository: Repository, workspace: str, wanted: str) -> dict[str, Entry | None]:
    """What a worktree has and the tree `wanted` has nothing at or above."""
    entries = files_of(repository.objects, workspace)
    theirs = files_of(repository.objects, wanted)
    above = {path[:at] for path in theirs for at in range(len(path)) if path[at] == "/"}
    return {
        path: entry
        for path, entry in entries.items()
        if path not in theirs
        and path not in above
        and not any(path[:at] in theirs for at in range(len(path)) if path[at] == "/")
    }
