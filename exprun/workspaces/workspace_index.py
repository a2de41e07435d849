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
    replaced = _replaced(added, baseline) if baseline.tree != tree else set()
    entries = [
        file
        if (file := written.get(path)) and (file.mode, file.oid) == entry
        else IndexEntry(path, *entry, UNKNOWN)
        for path, entry in files.items()
        if path not in replaced
    ]
    entries += added.values()
    data, index = make_index(entries, _unchanged_trees(baseline, [*added, *replaced]))
    rewrite(f"{repository.git_dir}/index", data)
    repository.know_index(data, index)
    return data, index


def _replaced(added: Mapping[str, IndexEntry], baseline: Baseline) -> set[str]:
    """The baseline's files that no index can hold beside what is added: where a file became a
    directory or back.
    """
    files = {above for path in added for above in _above(path) if above in baseline.files}
    if not added.keys().isdisjoint(baseline.trees):
        files |= {path for path in baseline.files if any(above in added for above in _above(path))}
    return files


def _above(path: str) -> list[str]:
    return [path[:at] for at, char in enumerate(path) if char == "/"]


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
