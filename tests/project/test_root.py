from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from exprun.errors import NotAProject
from exprun.model.paths import Location
from exprun.project.files import DiskFiles
from exprun.project.root import find_git, find_project

from .tree import plant

if TYPE_CHECKING:
    from pathlib import Path


def git(*args: str, cwd: Path) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *args], cwd=cwd, check=True, timeout=30, capture_output=True)


def test_the_project_is_found_from_anywhere_inside(project: Path) -> None:
    plant(project, ["a/b/c/"])
    place = find_project(str(project / "a" / "b" / "c"))
    assert place.root == str(project)
    assert place.cwd == "a/b/c"
    assert place.prefix == ""
    assert place.tmp_dir == str(project / ".dvc" / "tmp")
    assert place.state_dir == str(project / ".dvc" / "tmp" / "exprun")
    assert place.git is not None
    assert place.git.work_tree == str(project)
    assert place.git.git_dir == place.git.common_dir == str(project / ".git")
    assert find_project(str(project)).cwd == "."


def test_the_innermost_project_wins(project: Path) -> None:
    plant(project, ["sub/deep/.dvc/", "sub/deep/x/"])
    place = find_project(str(project / "sub" / "deep" / "x"))
    assert place.root == str(project / "sub" / "deep")
    assert place.prefix == "sub/deep"
    assert place.git is not None
    assert place.git.work_tree == str(project)


def test_a_file_called_dvc_is_no_project(tmp_path: Path) -> None:
    plant(tmp_path, ["outer/.dvc/", "outer/inner/.dvc"])
    assert find_project(str(tmp_path / "outer" / "inner")).root == str(tmp_path / "outer")


def test_outside_of_a_project_the_way_in_is_shown(project: Path, tmp_path: Path) -> None:
    (project / ".dvc").rename(project / "moved")
    with pytest.raises(NotAProject) as in_git:
        find_project(str(project))
    assert in_git.value.hint == "to make this Git repository a DVC project: dvc init"
    with pytest.raises(NotAProject) as outside:
        find_project(str(tmp_path))
    assert outside.value.hint == "to start a project here: git init && dvc init"
    with pytest.raises(NotAProject, match="does not exist"):
        find_project(str(tmp_path / "nowhere"))


def test_linked_work_trees_and_submodules_are_understood(project: Path, tmp_path: Path) -> None:
    git("commit", "-qm", "x", "--allow-empty", cwd=project)
    linked = tmp_path / "linked"
    git("worktree", "add", "-q", str(linked), cwd=project)
    place = find_git(str(linked))
    assert place is not None
    assert place.work_tree == str(linked)
    assert place.common_dir == str(project / ".git")
    assert place.git_dir == str(project / ".git" / "worktrees" / "linked")

    plant(tmp_path, {"modules/m/HEAD": "", "top/m/.git": "gitdir: ../../modules/m\n"})
    module = find_git(str(tmp_path / "top" / "m"))
    assert module is not None
    assert module.git_dir == module.common_dir == str(tmp_path / "modules" / "m")


def test_a_git_entry_that_leads_nowhere_is_passed_over(project: Path) -> None:
    plant(project, {"a/.git": "gitdir: /no/where\n", "b/.git": "junk", "c/.git/": ""})
    for name in "abc":
        place = find_git(str(project / name))
        assert place is not None
        assert place.work_tree == str(project)


def test_files_are_read_by_location(tmp_path: Path) -> None:
    plant(tmp_path, {"p/a/b": "text", "outside": "text"})
    files = DiskFiles(str(tmp_path / "p"))
    assert files.read(Location("a/b")) == b"text"
    assert files.read(Location("../outside")) == b"text"
    assert files.is_file(Location("a/b"))
    assert files.is_dir(Location("a"))
    assert not files.is_file(Location("a"))
    assert not files.is_dir(Location("a/b"))
    with pytest.raises(FileNotFoundError):
        files.read(Location("a/c"))
