from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from dulwich.ignore import IgnoreFilterManager
from dulwich.repo import Repo
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.git.ignored import IgnoreRules, TrackedPaths
from tests.git.project import GitProject

PATHS = "a|b.log|d/|d/a|d/b.log|d/e/|d/e/a|d/e/f/a.log|x y |[z]|é|A".split("|")
PIECES = [*"a b d e * ** / ? ! # \\ [a-e] [!a] [ ] .log [[:alpha:]] é f [^/] z - A".split(), " "]
PATTERN = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)


def make(project: GitProject) -> None:
    for path in PATHS:
        if path.endswith("/"):
            (project.root / path).mkdir(parents=True, exist_ok=True)
        else:
            project.write(path)


def ignored_by_git(project: GitProject, paths: list[str]) -> set[str]:
    done = subprocess.run(
        ["git", "check-ignore", "-z", "--stdin", "--no-index"], cwd=project.root, env=project.env,
        input=b"\0".join(map(os.fsencode, paths)), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return {os.fsdecode(path) for path in done.stdout.split(b"\0") if path}


def ignored_by_us(project: GitProject, paths: list[str]) -> set[str]:
    rules = IgnoreRules(project.open())
    return {path for path in paths if rules.is_ignored(path)}


@settings(max_examples=60, deadline=None)
@given(
    top=st.lists(PATTERN, max_size=4), below=st.lists(PATTERN, max_size=3),
    ends=st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_git_agrees(git_env: dict[str, str], top: list[str], below: list[str], ends: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        project = GitProject(Path(directory), git_env)
        project.git("init", "-q")
        make(project)
        project.write(".gitignore", ends.join(top))
        project.write("d/.gitignore", ends.join([*below, ""]))
        paths = [path.rstrip("/") for path in PATHS]
        assert ignored_by_us(project, paths) == ignored_by_git(project, paths)


@pytest.mark.parametrize(
    "pattern",
    ["d/", "d", "/d/e", "**/e/", "d/**", "d/**/a", "**/a", "*.log", "!a\n*", "*\n!d/", "a\\",
     "*\n!d/\n!d/a", "x y\\ ", "x y ", "\\[z\\]", "[[]z]", "é", "?", "", "/", "\ufeffa", "#a",
     "\\#a", "d/*/f"],
)  # fmt: skip
def test_well_known_patterns(project: GitProject, pattern: str) -> None:
    make(project)
    project.write(".gitignore", pattern)
    paths = [path.rstrip("/") for path in PATHS]
    assert ignored_by_us(project, paths) == ignored_by_git(project, paths)


def test_all_sources_count(project: GitProject) -> None:
    make(project)
    (project.root / ".git/info").mkdir(exist_ok=True)
    (project.root / ".git/info/exclude").write_text("*.log\n!d/b.log\n")
    project.write("d/.gitignore", "!b.log\n")
    project.write("global", "a\n*.log\n")
    project.git("config", "core.excludesFile", str(project.root / "global"))
    paths = [path.rstrip("/") for path in PATHS]
    assert ignored_by_us(project, paths) == ignored_by_git(project, paths) == {
        "a", "d/a", "d/e/a", "b.log", "d/e/f/a.log",
    }  # fmt: skip
    project.git("config", "core.ignoreCase", "true")
    assert "A" in ignored_by_us(project, paths)


def test_only_outside_of_the_worktree_may_rules_be_behind_links(project: GitProject) -> None:
    make(project)
    links = {"user": "*.log\n", ".git/info/exclude": "A\n", "d/.gitignore": "e\n"}
    for link, lines in links.items():
        target = project.write(f"{link}.target", lines)
        (project.root / link).unlink(missing_ok=True)
        (project.root / link).symlink_to(target)
    project.git("config", "core.excludesFile", str(project.root / "user"))
    paths = [path.rstrip("/") for path in PATHS]
    assert ignored_by_us(project, paths) == ignored_by_git(project, paths) == {
        "A", "b.log", "d/b.log", "d/e/f/a.log",
    }  # fmt: skip


def test_an_output_directory_is_ignored_as_dvc_sees_it(project: GitProject) -> None:
    project.write(".gitignore", "od/\n")
    rules = IgnoreRules(project.open())
    with Repo(str(project.root)) as repository:
        manager = IgnoreFilterManager.from_repo(repository)
        assert not manager.is_ignored("od")
        assert not rules.is_ignored("od")
        (project.root / "od").mkdir()
        assert IgnoreRules(project.open()).is_ignored("od")
        assert rules.is_ignored("od/x")
        assert manager.is_ignored("od/x")


def test_tracked_paths(project: GitProject) -> None:
    for path in ("a", "d/x", "d.x", "e"):
        project.write(path)
    project.git("add", "-A")
    tracked = TrackedPaths(project.open().read_index())
    assert [path in tracked for path in ("a", "d", "d/x", "e")] == [True] * 4
    assert [path in tracked for path in ("d/", "d/y", "b", "a/b", "d.")] == [False] * 5
