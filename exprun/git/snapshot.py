"""The tree an experiment commit has, built in memory: the worktree as ``git add -u`` would see it.

The index serves as a cache of what has not changed and is never written, nor is anything but new
objects. What the tree holds:

- every tracked file as it is now, staged additions and removals included;
- paths named by the caller (stage files, untracked dependencies, uncached outputs), except what Git
  ignores;
- contents handed in by the caller in place of what a file holds.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from exprun.content import read_file
from exprun.errors import NotAProject, UsageError
from exprun.git.conversion import Conversion, attribute_files
from exprun.git.ignored import IgnoreRules
from exprun.git.index_file import IndexEntry, refuse_conflicts, stat_of
from exprun.git.index_tree import build_tree
from exprun.git.objects import EMPTY_BLOB, object_name
from exprun.git.repository import git_dir_of, open_repository
from exprun.git.tree import (
    EXECUTABLE,
    FILE,
    GITLINK,
    SYMLINK,
    Entry,
    edit_tree,
    files_of,
    require_depth,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from exprun.git.objects import ObjectStore
    from exprun.git.repository import Repository


def take_snapshot(
    repository: Repository,
    *,
    include: Iterable[str] = (),
    edited: Mapping[str, bytes] | None = None,
    objects: ObjectStore | None = None,
) -> str:
    """The tree of the worktree now, stored in `objects` (default: the repository's own).

    `include` and the keys of `edited` are relative to the worktree; one that does not exist (or is
    ignored and not tracked) adds nothing. Raises IndexConflict.
    """
    return Snapshot(repository, objects or repository.objects).take(include, edited or {})


class Snapshot:
    """Trees of one worktree, all seen with the index that it has now."""

    def __init__(self, repository: Repository, objects: ObjectStore) -> None:
        self._repository = repository
        self._objects = objects
        self._index = repository.read_index()
        refuse_conflicts(self._index)
        self._tracked = {entry.path: entry for entry in self._index.entries}
        self._conversion = Conversion(
            repository,
            has_attributes=bool(attribute_files(self._tracked)),
            blob_in_index=self._blob_in_index,
        )
        self._real_directories: dict[str, bool] = {"": True}

    @cached_property
    def _links(self) -> tuple[str, ...]:
        """The submodules, each with a slash at its end."""
        return tuple([f"{entry.path}/" for entry in self._index.entries if entry.mode == GITLINK])

    @cached_property
    def _rules(self) -> IgnoreRules:
        return IgnoreRules(self._repository)

    def take(self, include: Iterable[str] = (), edited: Mapping[str, bytes] | None = None) -> str:
        """See `take_snapshot`."""
        changes: dict[str, Entry | None] = {}
        for entry in self._index.entries:
            if entry.assume_valid:
                continue
            found = self._lstat(entry.path)
            if not self._is_as_recorded(entry, found):
                now = self._read(entry.path, found, entry)
                if now != (entry.mode, entry.oid):
                    changes[entry.path] = now
        taken_out = ((path, self._lstat(path)) for path in self._taken_out())
        gone = {path for path, now in changes.items() if now is None}
        for path, found in chain(taken_out, self._added(include, gone)):
            if (new := self._read(path, found, None)) is not None:
                changes[path] = new
        changes.update(self._edits(edited or {}))
        return self._build(changes)

    def vary(self, tree: str, edited: Mapping[str, bytes]) -> str:
        """`tree`, one that `take` made, with other contents: what `take` would make with them."""
        return edit_tree(self._objects, tree, dict(self._edits(edited)))

    def _edits(self, edited: Mapping[str, bytes]) -> Iterator[tuple[str, Entry]]:
        for name, data in edited.items():
            path = self._behind_links(name)
            if path in self._tracked or not self._rules.is_ignored(path, is_dir=False):
                yield path, self._edit(path, data)

    def _taken_out(self) -> Iterator[str]:
        """What HEAD has and the index no longer: DVC keeps it for as long as it is there."""
        repository = self._repository
        try:
            head = repository.tree_of(repository.head().commit)
        except NotAProject:
            return
        known = self._index.trees.get("")
        if known is None or known.oid != head:
            yield from files_of(repository.objects, head).keys() - self._tracked.keys()

    def _blob_in_index(self, path: str) -> bytes | None:
        entry = self._tracked.get(path)
        if entry is None or entry.mode not in (FILE, EXECUTABLE) or entry.intent_to_add:
            return None
        return self._repository.objects.read(entry.oid, "blob")

    def _build(self, changes: Mapping[str, Entry | None]) -> str:
        """The tree, with everything the index brings in made available in the target."""
        source = self._repository.objects
        entries, trees = self._index.entries, self._index.trees
        staged = [e.oid for e in entries if not (e.mode == GITLINK or e.intent_to_add)]
        for oid in source.missing_from(self._objects, staged):
            self._objects.copy_from(source, oid)
        if [entry for entry in entries if entry.intent_to_add]:
            # Their place is held by the empty blob, which Git does not store for them.
            self._objects.write("blob", b"")
        unknown = source.missing_from(self._objects, [tree.oid for tree in trees.values()])
        known = {path: tree for path, tree in trees.items() if tree.oid not in unknown}
        return build_tree(self._objects, entries, known, changes)

    def _is_as_recorded(self, entry: IndexEntry, found: os.stat_result | None) -> bool:
        """Whether the index tells what a tracked path holds, for nothing has happened to it since
        that would not show in the file's times.
        """
        if entry.skip_worktree and found is None:
            return True
        return (
            found is not None
            and stat_of(found) == entry.stat
            # Git pretends that a file was empty if it could not be sure of it.
            and (found.st_size > 0 or entry.oid == EMPTY_BLOB)
            and found.st_mtime_ns < self._index.mtime_ns > found.st_ctime_ns
            and _mode_agrees(found.st_mode, entry.mode)
        )

    def _lstat(self, path: str) -> os.stat_result | None:
        """The file itself; None if it is not there, or only through a linked directory."""
        parent = path.rpartition("/")[0]
        if not self._real_directories.get(parent) and not self._is_real_directory(parent):
            return None
        try:
            return os.lstat(f"{self._repository.workdir}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _full(self, path: str) -> str:
        return f"{self._repository.workdir}/{path}"

    def _is_real_directory(self, path: str) -> bool:
        known = self._real_directories.get(path)
        if known is None:
            found = self._lstat(path)
            known = found is not None and stat.S_ISDIR(found.st_mode)
            self._real_directories[path] = known
        return known

    def _read(
        self, path: str, found: os.stat_result | None, entry: IndexEntry | None
    ) -> Entry | None:
        """What a path holds, stored in the target unless the index names the same blob."""
        if found is None:
            return None
        full = self._full(path)
        if stat.S_ISLNK(found.st_mode):
            target = os.fsencode(os.readlink(full))
            return Entry(SYMLINK, self._objects.write("blob", target))
        if stat.S_ISREG(found.st_mode):
            return Entry(self._mode(found, entry), self._store_file(path, found, entry))
        if stat.S_ISDIR(found.st_mode) and entry is not None:
            return self._submodule(full, entry)
        return None

    def _store_file(self, path: str, found: os.stat_result, entry: IndexEntry | None) -> str:
        if entry is not None and not entry.intent_to_add and found.st_size < 1 << 20:
            data = read_file(self._full(path))
            # Mostly only touched: no need to look at attributes, nor to store it again.
            if object_name("blob", data) == entry.oid:
                return entry.oid
            return self._conversion.store(path, data, self._objects)
        return self._conversion.store_file(path, found.st_size, self._objects)

    def _mode(self, found: os.stat_result, entry: IndexEntry | None) -> int:
        mode = EXECUTABLE if found.st_mode & stat.S_IXUSR else FILE
        config = self._repository.config
        if (
            entry is not None
            and entry.mode == SYMLINK
            and not config.is_true("core.symlinks", default=True)
        ):
            return SYMLINK
        usual = entry.mode if entry is not None and entry.mode in (FILE, EXECUTABLE) else FILE
        if mode == usual or config.is_true("core.filemode", default=True):
            return mode
        return usual

    def _submodule(self, full: str, entry: IndexEntry) -> Entry | None:
        if git_dir_of(full) is not None:
            # In one whose clone did not get far there is no commit.
            with suppress(NotAProject):
                head = open_repository(full, env=self._repository.env).head()
                return Entry(GITLINK, head.commit)
        # An empty directory stands for a submodule that was never cloned.
        return Entry(entry.mode, entry.oid) if entry.mode == GITLINK else None

    def _behind_links(self, path: str) -> str:
        """Where `path` leads to. Raises UsageError if that is no place for a file of Git's."""
        found = self._lstat(path)
        if found is not None and stat.S_ISREG(found.st_mode):
            return path
        top = os.path.realpath(self._repository.workdir)
        place = os.path.relpath(os.path.realpath(self._full(path)), top)
        if not {os.pardir, ".git"}.isdisjoint(place.split(os.sep)):
            raise UsageError("only a file of the repository can be edited", where=path)
        return place

    def _edit(self, path: str, data: bytes) -> Entry:
        found = self._lstat(path)
        entry = self._tracked.get(path)
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise UsageError("only a regular file can be edited", where=path)
        mode = self._mode(found, entry) if found else entry.mode if entry else FILE
        return Entry(mode, self._conversion.store(path, data, self._objects))

    def _added(
        self, paths: Iterable[str], gone: Container[str], *, below: bool = False
    ) -> Iterator[tuple[str, os.stat_result]]:
        """The files at and below `paths` that DVC adds; those hidden from Git are among them.

        It follows a link to a directory, but none that it meets `below` one. A link that Git knows
        stays a link here. `gone` are the tracked files in whose places directories may be.
        """
        for path in paths:
            entry = None if path in gone else self._tracked.get(path)
            if entry is not None and not entry.assume_valid:
                continue
            found = self._lstat_followed(path)
            if found is None or ".git" in path.split("/") or f"{path}/".startswith(self._links):
                continue
            is_link = stat.S_ISLNK(found.st_mode)
            is_dir = os.path.isdir(self._full(path)) if is_link else stat.S_ISDIR(found.st_mode)
            if path and self._rules.is_ignored(path, is_dir=is_dir):
                continue
            if is_dir and below and is_link:
                continue
            if is_dir:
                require_depth(f"{path}/")
                yield from self._added(self._names(path), gone, below=True)
            else:
                yield path, found

    def _lstat_followed(self, path: str) -> os.stat_result | None:
        """As `_lstat`, but also through linked directories, if Git does not know the links."""
        parent = path.rpartition("/")[0]
        if self._is_real_directory(parent):
            return self._lstat(path)
        while parent:
            if parent in self._tracked:
                return None
            parent = parent.rpartition("/")[0]
        try:
            return os.lstat(self._full(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _names(self, directory: str) -> list[str]:
        prefix = directory + "/" if directory else ""
        return [prefix + name for name in os.listdir(self._full(directory))]


def _mode_agrees(mode: int, recorded: int) -> bool:
    """Whether a file's type and exec bit are what the index says; never so for a submodule."""
    if stat.S_ISREG(mode):
        return recorded == (EXECUTABLE if mode & stat.S_IXUSR else FILE)
    return stat.S_ISLNK(mode) and recorded == SYMLINK
