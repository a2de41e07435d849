"""The index of an isolated workspace: its baseline's, with what the tree adds staged.

That is what a stage sees in a temporary directory of DVC's, where a stash was applied: additions
are staged, changes and removals are not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.git.index_file import CachedTree, IndexEntry, format_index
from exprun.git.tree import TREE, Entry, walk
from exprun.workspaces.overwriting import rewrite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from exprun.git.repository import Repository

UNKNOWN = bytes(32)
"""The stat of a file that Git has to look at."""


def write_index(
    repository: Repository,
    source: Repository,
    written: Mapping[str, IndexEntry],
    *,
    baseline: str,
    tree: str,
) -> None:
    """The baseline's entries, and staged what the tree adds to them."""
    objects = source.objects
    head = source.tree_of(baseline)
    trees: dict[str, str] = {"": head}
    files: dict[str, Entry] = {}
    for path, entry in walk(objects, head):
        if entry.mode == TREE:
            trees[path] = entry.oid
        else:
            files[path] = entry
    added = {path: file for path, file in written.items() if path not in files}
    if head != tree:
        added = _without_clashes(added, files)
    entries = [
        file
        if (file := written.get(path)) and (file.mode, file.oid) == entry
        else IndexEntry(path, *entry, UNKNOWN)
        for path, entry in files.items()
    ]
    entries += added.values()
    data = format_index(entries, _unchanged_trees(trees, files, added))
    rewrite(os.path.join(repository.git_dir, "index"), data)


def _without_clashes(
    added: Mapping[str, IndexEntry], files: Mapping[str, Entry]
) -> dict[str, IndexEntry]:
    """Additions an index can hold beside `files`: not where a file became a directory or back."""
    directories = {path[:at] for path in files for at, char in enumerate(path) if char == "/"}
    return {
        path: entry
        for path, entry in added.items()
        if path not in directories
        and not any(path[:at] in files for at, char in enumerate(path) if char == "/")
    }


def _unchanged_trees(
    trees: Mapping[str, str], files: Iterable[str], added: Collection[str]
) -> dict[str, CachedTree]:
    """The trees of the baseline that still describe the index."""
    changed = {""} if added else set()
    changed |= {path[:at] for path in added for at, char in enumerate(path) if char == "/"}
    sizes = dict.fromkeys(trees, 0)
    for path in files:
        sizes[""] += 1
        for at, char in enumerate(path):
            if char == "/":
                sizes[path[:at]] += 1
    return {
        path: CachedTree(sizes[path], oid) for path, oid in trees.items() if path not in changed
    }
