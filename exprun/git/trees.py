"""A project's files as a tree holds them, without a worktree."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, NamedTuple

from exprun.git.tree import ENCODING, ERRORS, FILE, SYMLINK, TREE, Entry, read_tree
from exprun.model.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Set

    from exprun.git.objects import ObjectStore
    from exprun.model.paths import Location

_MAX_LINKS = 40
_REMEMBERED = 2000


class Likeness(NamedTuple):
    """How a tree differs from another: its files, the locations known of the other at which it
    holds something else, and the names of files that only one of them has.
    """

    files: TreeFiles
    changed: Set[str]
    names: Set[str]


class Trees:
    """The trees of one store by name, as `read_tree` has them; those met last are remembered."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._known: Recent[str, dict[bytes, Entry]] = Recent(_REMEMBERED)

    def entries(self, oid: str) -> dict[bytes, Entry]:
        """What a tree holds by name; not to be changed."""
        entries = self._known.get(oid)
        if entries is None:
            entries = self._known[oid] = read_tree(self._objects, oid)
        return entries


class TreeFiles:
    """The `Files` of a project that lies at `prefix` (``""``: the root) of a stored tree.

    Symlinks are followed within the tree; what a link outside points to is not there.
    """

    def __init__(
        self,
        objects: ObjectStore,
        tree: str,
        *,
        prefix: str = "",
        trees: Trees | None = None,
    ) -> None:
        """`trees`: those of `objects`, to share them between the `TreeFiles` of many commits."""
        self._objects = objects
        self._root = Entry(TREE, tree)
        self._prefix = prefix
        self._trees = Trees(objects) if trees is None else trees
        self._found: dict[str, Entry | None] = {}
        self._by_path: dict[str, list[str]] = {}
        self._met_links = False

    def like(self, tree: str) -> Likeness | None:
        """The files of another tree; what is known of this one is not looked up again.

        None if they differ by more than files, or if there are symlinks among those or on the way.
        """
        changes: dict[str, Entry | None] = {self._prefix or ".": Entry(TREE, tree)}
        names: set[str] = set()
        if self._met_links or not self._compare(self._root.oid, tree, "", changes, names):
            return None
        other = TreeFiles(self._objects, tree, prefix=self._prefix, trees=self._trees)
        asked = self._asked_by_path()
        changed = {
            location: _file_or_directory(entry)
            for path, entry in changes.items()
            for location in asked.get(path, ())
        }
        other._found = self._found | changed
        return Likeness(other, changed.keys(), names)

    def _compare(
        self, old: str, new: str, above: str, changes: dict[str, Entry | None], names: set[str]
    ) -> bool:
        """Collect what another tree has at each path where it differs, and the names that only one
        of them has; False if that does not tell the whole difference.
        """
        before, after = self._trees.entries(old), self._trees.entries(new)
        differing = [name for name, entry in after.items() if before.get(name) != entry]
        for name in (*differing, *(before.keys() - after.keys())):
            one, two = before.get(name), after.get(name)
            kinds = {entry.mode >> 12 for entry in (one, two) if entry}
            path = above + name.decode(ENCODING, ERRORS)
            changes[path] = two
            if one and two and kinds == {TREE >> 12}:
                if not self._compare(one.oid, two.oid, f"{path}/", changes, names):
                    return False
            elif kinds != {FILE >> 12}:
                return False
            elif not (one and two):
                names.add(name.decode(ENCODING, ERRORS))
        return True

    def _asked_by_path(self) -> dict[str, list[str]]:
        """The locations that were asked about, by where they are in the repository."""
        if sum(map(len, self._by_path.values())) != len(self._found):
            self._by_path = {}
            for location in self._found:
                path = posixpath.normpath(posixpath.join(self._prefix, location))
                self._by_path.setdefault(path, []).append(location)
        return self._by_path

    def read(self, location: Location) -> bytes:
        """The blob as it is stored. Raises FileNotFoundError or IsADirectoryError."""
        entry = self.find(location)
        if entry is None:
            raise FileNotFoundError(location)
        if entry.mode == TREE:
            raise IsADirectoryError(location)
        return self._objects.read(entry.oid, "blob")

    def is_file(self, location: Location) -> bool:
        entry = self.find(location)
        return entry is not None and entry.mode != TREE

    def is_dir(self, location: Location) -> bool:
        entry = self.find(location)
        return entry is not None and entry.mode == TREE

    def entries(self, location: Location) -> dict[str, Entry]:
        """What a directory holds, symlinks not followed, in Git's order; nothing for a file."""
        entry = self.find(location)
        if entry is None or entry.mode != TREE:
            return {}
        return {
            name.decode(ENCODING, ERRORS): found
            for name, found in self._trees.entries(entry.oid).items()
        }

    def find(self, location: Location) -> Entry | None:
        """What a location leads to, symlinks followed; None if there is no file or directory."""
        if location not in self._found:
            self._found[location] = self._resolve(location)
        return self._found[location]

    def _resolve(self, location: str) -> Entry | None:
        """What a location leads to, as a file system would resolve it; a submodule is nothing."""
        if not self._prefix and "/" not in location and location not in ("", ".", ".."):
            entry = self._trees.entries(self._root.oid).get(location.encode(ENCODING, ERRORS))
            if entry is None or entry.mode != SYMLINK:
                return _file_or_directory(entry)
        if posixpath.isabs(location):
            return None
        todo = posixpath.join(self._prefix, location).split("/")[::-1]
        trail: list[Entry] = [self._root]
        links = 0
        while todo:
            name = todo.pop()
            if name in ("", "."):
                continue
            if trail[-1].mode != TREE:
                return None
            if name == "..":
                if len(trail) == 1:
                    return None
                trail.pop()
                continue
            entry = self._trees.entries(trail[-1].oid).get(name.encode(ENCODING, ERRORS))
            if entry is None:
                return None
            if entry.mode != SYMLINK:
                trail.append(entry)
                continue
            self._met_links = True
            links += 1
            target = os.fsdecode(self._objects.read(entry.oid, "blob"))
            if links > _MAX_LINKS or posixpath.isabs(target):
                return None
            todo += target.split("/")[::-1]
        return _file_or_directory(trail[-1])


def _file_or_directory(entry: Entry | None) -> Entry | None:
    is_known = entry is not None and (entry.mode == TREE or entry.mode & 0o170000 == 0o100000)
    return entry if is_known else None
