from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exprun.errors import GitError, NotAProject, UnknownRepository, UsageError
from exprun.git.repository import Head, Repository, open_repository
from exprun.git.tree import changes_between
from exprun.git.trees import TreeFiles
from exprun.model.paths import Location

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.model.files import Files
    from tests.git.project import GitProject


@pytest.mark.parametrize("prefix", ["", "sub"])
def test_files_of_a_tree(project: GitProject, prefix: str) -> None:
    root = project.root / prefix
    project.write("outer", "o")
    for path in ("dvc.yaml", "d/params.yaml", "d/e/f"):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    for name, target in {
        "link": "d/params.yaml", "way": "d/e", "broken": "nothing", "out": "/etc/passwd",
        "loop": "loop", "above": "../../..", "chain": "way/f", "d/up": "../dvc.yaml",
    }.items():  # fmt: skip
        (root / name).symlink_to(target)
    project.commit_all()
    repository = project.open()
    files: Files = TreeFiles(
        repository.objects, project.git("rev-parse", "HEAD^{tree}"), prefix=prefix
    )
    for name, content in {
        "dvc.yaml": "dvc.yaml", "link": "d/params.yaml", "way/f": "d/e/f", "chain": "d/e/f",
        "d/up": "dvc.yaml", "d/../dvc.yaml": "dvc.yaml",
    }.items():  # fmt: skip
        assert files.read(Location(name)) == content.encode()
        assert files.is_file(Location(name))
    for name in (".", "d", "way", "d/e"):
        assert files.is_dir(Location(name))
        with pytest.raises(IsADirectoryError):
            files.read(Location(name))
    for name in ("nothing", "broken", "out", "loop", "above", "d/x/y", "dvc.yaml/x", "/etc/passwd"):
        assert not files.is_file(Location(name))
        assert not files.is_dir(Location(name))
        with pytest.raises(FileNotFoundError):
            files.read(Location(name))
    assert files.is_file(Location("../outer")) == bool(prefix)


def test_differences_between_trees(project: GitProject) -> None:
    for path in ("a", "b", "d/x", "d/y", "f"):
        project.write(path, path)
    one = project.commit_all()
    project.git("rm", "-q", "-r", "a", "d/x", "f")
    project.write("b", "changed")
    project.write("f/inner", "now a directory")
    project.write("n/m/new", "n")
    two = project.commit_all()
    repository = project.open()
    found = changes_between(repository.objects, repository.tree_of(one), repository.tree_of(two))
    letters = {(True, False): "D", (False, True): "A", (True, True): "M"}
    ours = {path: letters[before is not None, after is not None] for path, before, after in found}
    lines = project.git("diff", "--no-renames", "--name-status", one, two).split("\n")
    assert ours == {path: letter for letter, path in (line.split("\t") for line in lines)}


def test_where_a_repository_is(project: GitProject, tmp_path: Path) -> None:
    with pytest.raises(NotAProject, match="not inside a git repository"):
        open_repository(str(tmp_path), env=project.env)
    with pytest.raises(NotAProject, match="no commit yet"):
        project.open().head()
    project.write("sub/file", "x")
    commit = project.commit_all()
    repository = open_repository(str(project.root / "sub"), env=project.env)
    assert (repository.head().commit, repository.head().branch) == (commit, "main")
    assert repository.inside(str(project.root / "sub/file")) == "sub/file"
    assert repository.inside(str(project.root)) == ""
    with pytest.raises(UsageError, match="outside of git repository"):
        repository.inside(str(tmp_path))
    with pytest.raises(UsageError, match="outside of git repository"):
        repository.inside(f"{project.root}-beside/sub")
    project.git("checkout", "-q", "--detach")
    assert repository.head().branch is None
    project.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    linked = open_repository(str(tmp_path / "linked"), env=project.env)
    assert linked.head().branch == "side"
    assert linked.common_dir == repository.common_dir != linked.git_dir


def test_the_branch_need_not_be_text(project: GitProject) -> None:
    commit = project.commit_all("one")
    project.git("checkout", "-q", "-b", os.fsdecode(b"caf\xe9"))
    assert project.open().head() == Head(commit=commit, branch=os.fsdecode(b"caf\xe9"))
    project.git("pack-refs", "--all")
    assert project.open().head().commit == commit


@pytest.mark.parametrize("damage", [b"", b"garbage\n", b"\xff\xfe", b"ref: \n"])
def test_a_damaged_head_is_named(project: GitProject, damage: bytes) -> None:
    project.commit_all("one")
    (project.root / ".git/HEAD").write_bytes(damage)
    with pytest.raises(GitError):
        project.open().head()


_STEPS = st.lists(
    st.sampled_from(["", ".", "..", "...", ".a", "a.", "..b", "c\n", "sub", "ü"]), max_size=6
)


@given(steps=_STEPS)
def test_a_path_inside_is_what_normalising_makes_of_it(steps: list[str]) -> None:
    repository = Repository(workdir="/top/repo", git_dir="", common_dir="", env={})
    path = "/".join(["/top/repo", *steps])
    expected = os.path.relpath(path, "/top/repo")
    if expected.split("/")[0] == "..":
        with pytest.raises(UsageError):
            repository.inside(path)
    else:
        assert repository.inside(path) == ("" if expected == "." else expected)


def test_sha256_repositories_are_refused(tmp_path: Path, project: GitProject) -> None:
    project.git("init", "-q", "--object-format=sha256", str(tmp_path / "other"))
    with pytest.raises(UnknownRepository, match="objectformat = sha256"):
        open_repository(str(tmp_path / "other"), env=project.env)


@pytest.mark.parametrize("elsewhere", ["..", "../sub/..", "../../elsewhere", "../sub"])
def test_a_worktree_that_lies_elsewhere_is_refused(project: GitProject, elsewhere: str) -> None:
    """As by DVC. A submodule has that setting, and is where it says."""
    project.commit_all("one")
    (project.root / "sub").mkdir()
    (project.root.parent / "elsewhere").mkdir()
    project.git("worktree", "add", "-q", "--detach", "../linked")
    project.git("config", "core.worktree", elsewhere)
    open_repository(str(project.root.parent / "linked"), env=project.env)
    if elsewhere in ("..", "../sub/.."):
        assert project.open().head().commit
        return

    with pytest.raises(UnknownRepository, match=r"core\.worktree = "):
        project.open()


@pytest.mark.parametrize("extension", ["refStorage = reftable", "unheardOf = true"])
def test_what_git_does_not_know_of_a_repository_is_refused(
    project: GitProject, extension: str
) -> None:
    """A Git too old for them does not even say that they are there."""
    project.git("config", "core.repositoryformatversion", "1")
    config = project.root / ".git/config"
    config.write_text(f"{config.read_text()}[extensions]\n\t{extension}\n")
    with pytest.raises(UnknownRepository, match=extension.lower()):
        project.open()
