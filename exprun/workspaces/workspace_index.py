"""The index of an isolated workspace: its baseline's, with what the tree adds staged.

That is what a stage sees in a temporary directory of DVC's, where a stash was applied: additions
are staged, changes and removals are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.git.index_file import IndexEntry, make_index
from exprun.workspaces.overwriting import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exprun.git.index_file import CachedTree, Index
    from exprun.git.repository import Repository
    from exprun.workspaces.baselines import Baseline

UNKNOWN = bytes(32)
"""The stat of a file that Git has to look at."""


def write_index(
    repository: Repository, written: Mapping[str, IndexEntry], baseline: Baseline, *, tree: str
) -> tuple[bytes, Index]:
    """The baseline's entries, and staged what the tree adds to them; as a file, and as read."""
    files = baseline.files
    added = {path: file for path, file in written.items() if path not in files}
    if baseline.tree != tree:
        added = _without_clashes(added, baseline)
    entries = [
        file
        if (file := written.get(path)) and (file.mode, file.oid) == entry
        else IndexEntry(path, *entry, UNKNOWN)
        for path, entry in files.items()
    ]
    entries += added.values()
    data, index = make_index(entries, _unchanged_trees(baseline, added))
    rewrite(f"{repository.git_dir}/index", data)
    repository.know_index(data, index)
    return data, index


def _without_clashes(added: Mapping[str, IndexEntry], baseline: Baseline) -> dict[str, IndexEntry]:
    """Additions an index can hold beside the baseline's files: not where a file became a directory
    or back.
    """
    return {
        path: entry
        for path, entry in added.items()
        if path not in baseline.trees
        and not any(path[:at] in baseline.files for at, char in enumerate(path) if char == "/")
    }


def _unchanged_trees(baseline: Baseline, added: Iterable[str]) -> Mapping[str, CachedTree]:
    """The trees of the baseline that still describe the index."""
    changed: set[str] = set()
    for path in added:
        while path:
            path = path.rpartition("/")[0]
            changed.add(path)
    if not changed:
        return baseline.trees
    return {path: tree for path, tree in baseline.trees.items() if path not in changed}
