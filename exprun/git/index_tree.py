"""The tree of an index: what ``git write-tree`` makes, with some paths replaced.

Directories whose tree the index already knows, and in which nothing changes, are not looked into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.git.objects import EMPTY_TREE
from exprun.git.tree import ENCODING, ERRORS, TREE, Entry, write_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exprun.git.index_file import CachedTree, IndexEntry
    from exprun.git.objects import ObjectStore

Listing = dict[bytes, Entry]


def build_tree(
    objects: ObjectStore,
    entries: Sequence[IndexEntry],
    known: Mapping[str, CachedTree],
    changes: Mapping[str, Entry | None],
) -> str:
    """Store the tree of `entries` with `changes` made to it (None removes a path); its name."""
    changed = set(_ancestors(changes))
    listings = _list_directories(entries, known, changed)
    for path, entry in changes.items():
        directory, _, name = path.rpartition("/")
        for above in _ancestors([path]):
            listings.setdefault(above, {})
        if entry is not None:
            listings[directory][name.encode(ENCODING, ERRORS)] = entry
        else:
            listings[directory].pop(name.encode(ENCODING, ERRORS), None)
    root = EMPTY_TREE
    for directory in sorted(listings, key=_depth, reverse=True):
        listing = listings[directory]
        if directory and not listing:
            continue
        oid = write_tree(objects, listing)
        if not directory:
            root = oid
            continue
        parent, _, name = directory.rpartition("/")
        listings[parent][name.encode(ENCODING, ERRORS)] = Entry(TREE, oid)
    return root


def _list_directories(
    entries: Sequence[IndexEntry], known: Mapping[str, CachedTree], changed: set[str]
) -> dict[str, Listing]:
    """What each directory holds itself; directories with a known, unchanged tree as that tree."""
    listings: dict[str, Listing] = {"": {}}
    at = 0
    while at < len(entries):
        entry = entries[at]
        directory, _, name = entry.path.rpartition("/")
        if directory not in listings:
            skipped = _skip(entries, at, known, changed, listings)
            if skipped:
                at += skipped
                continue
            for above in _ancestors([entry.path]):
                listings.setdefault(above, {})
        listings[directory][name.encode(ENCODING, ERRORS)] = Entry(entry.mode, entry.oid)
        at += 1
    return listings


def _skip(
    entries: Sequence[IndexEntry],
    at: int,
    known: Mapping[str, CachedTree],
    changed: set[str],
    listings: dict[str, Listing],
) -> int:
    """How many entries from `at` lie in a directory whose tree is known; that tree is listed."""
    for directory in _ancestors([entries[at].path]):
        tree = known.get(directory)
        if directory in listings or directory in changed or tree is None:
            continue
        end = at + tree.size
        if tree.size < 1 or end > len(entries):
            return 0
        inside = directory + "/"
        if not entries[end - 1].path.startswith(inside) or (
            end < len(entries) and entries[end].path.startswith(inside)
        ):
            return 0
        parent, _, name = directory.rpartition("/")
        for above in _ancestors([directory]):
            listings.setdefault(above, {})
        listings[parent][name.encode(ENCODING, ERRORS)] = Entry(TREE, tree.oid)
        return tree.size
    return 0


def _ancestors(paths: Mapping[str, object] | Sequence[str]) -> list[str]:
    """The directories above each path, the root (``""``) first."""
    found = []
    for path in paths:
        parts = path.split("/")[:-1]
        found += ["/".join(parts[:count]) for count in range(len(parts) + 1)]
    return found


def _depth(path: str) -> int:
    return path.count("/") + bool(path)
