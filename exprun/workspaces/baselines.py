"""What a commit holds, listed once for all the workspaces that start from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.git.index_file import CachedTree
from exprun.git.tree import TREE, Entry, changes_between, walk
from exprun.model.recent import Recent
from exprun.model.values import dataclass
from exprun.workspaces.materialise import check_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.git.objects import ObjectStore
    from exprun.git.repository import Repository

_REMEMBERED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The files of a commit, and its directories as trees; the root is ``""``."""

    tree: str
    files: Mapping[str, Entry]
    trees: Mapping[str, CachedTree]

    def files_of(self, objects: ObjectStore, tree: str) -> dict[str, Entry]:
        """The files of another tree, which had better be a similar one."""
        files = dict(self.files)
        for path, _, new in changes_between(objects, self.tree, tree):
            if new is None:
                del files[path]
            else:
                check_path(path)
                files[path] = new
        return files


class Baselines:
    """The baselines met last in one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: Recent[str, Baseline] = Recent(_REMEMBERED)

    def of(self, commit: str) -> Baseline:
        """What a commit holds. Raises GitError if it may not be written."""
        known = self._known.get(commit)
        if known is None:
            known = self._known[commit] = read_baseline(self._repository, commit)
        return known


def read_baseline(repository: Repository, commit: str) -> Baseline:
    """What a commit holds. Raises GitError if it may not be written."""
    tree = repository.tree_of(commit)
    files: dict[str, Entry] = {}
    trees = {"": tree}
    sizes = {"": 0}
    for path, entry in walk(repository.objects, tree):
        if entry.mode == TREE:
            trees[path] = entry.oid
            sizes[path] = 0
        else:
            check_path(path)
            files[path] = entry
            above = path
            while above:
                above = above.rpartition("/")[0]
                sizes[above] += 1
    return Baseline(
        tree=tree,
        files=files,
        trees={path: CachedTree(sizes[path], oid) for path, oid in trees.items()},
    )
