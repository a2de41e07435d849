from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exprun.errors import GitError
from exprun.git.tree import FILE, GITLINK, TREE, Entry, edit_tree, files_of, format_tree
from exprun.workspaces.baselines import Baselines

if TYPE_CHECKING:
    from tests.git.project import GitProject

BLOB = Entry(FILE, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
LINK = Entry(GITLINK, "1" * 40)


def base(project: GitProject) -> str:
    for path in ("a", "b", "d.e", "d/x", "d/deep/y", "d/deep/z", "e/only", "caf\udce9"):
        project.write(path, f"{path}\n".encode(errors="surrogateescape"))
    return project.commit_all()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"a": BLOB, "new": BLOB, "d/new": BLOB, "n/e/w": BLOB},
        {"a": None, "e/only": None, "d/deep/y": None},
        {"d/x": None, "d/deep/y": None, "d/deep/z": None, "d": BLOB},
        {"a": None, "a/b": BLOB, "b": LINK, "d/deep/y": LINK},
    ],
)
def test_files_are_told_by_what_differs(
    project: GitProject, changes: dict[str, Entry | None]
) -> None:
    commit = base(project)
    repository = project.open()
    objects = repository.objects
    baseline = Baselines(repository).of(commit)
    tree = edit_tree(objects, baseline.tree, changes)
    assert baseline.files_of(objects, tree) == files_of(objects, tree)
    assert baseline.files == files_of(objects, baseline.tree)


def test_directories_are_those_that_git_s_index_knows(project: GitProject) -> None:
    commit = base(project)
    repository = project.open()
    assert Baselines(repository).of(commit).trees == repository.read_index().trees


def test_a_baseline_is_listed_once(project: GitProject) -> None:
    commits = [base(project), *(project.commit_all(str(number)) for number in range(9))]
    baselines = Baselines(project.open())
    assert baselines.of(commits[0]) is baselines.of(commits[0])
    for commit in commits:
        assert baselines.of(commit).files.keys() == baselines.of(commits[0]).files.keys()


def test_a_tree_that_is_nested_too_deeply_is_refused(project: GitProject) -> None:
    commit = base(project)
    repository = project.open()
    tree = repository.objects.write("blob", b"")
    entry = Entry(FILE, tree)
    for _ in range(2000):
        tree = repository.objects.write("tree", format_tree({b"d": entry}))
        entry = Entry(TREE, tree)
    baseline = Baselines(repository).of(commit)
    with pytest.raises(GitError, match="nested too deeply"):
        baseline.files_of(repository.objects, tree)
