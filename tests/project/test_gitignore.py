from __future__ import annotations

import os
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from exprun.project.gitignore import GitIgnore, find_excludes_file
from exprun.project.root import find_git

from .tree import plant

if TYPE_CHECKING:
    from pathlib import Path

FILES = [
    "a.txt",
    "b.pyc",
    "#odd",
    "!odd",
    "trailing ",
    "data/a.txt",
    "data/deep/a.txt",
    "data/deep/er/x.bin",
    "build/a.txt",
    "build/keep/a.txt",
    "src/build/x.py",
    "src/a b.txt",
    "src/é.txt",
    "we ird[1]*.txt",
    "logs/1.log",
    "logs/old/1.log",
    "venv/.gitignore",
    "venv/lib/x.py",
    "foo1/bar",
    "foo2/bar/baz",
    "x-y",
    "x]y",
    "back\\slash",
]

IGNORES: list[dict[str, str]] = [
    {},
    {".gitignore": "/data\n/a.txt\n/we\\ ird\\[1\\]\\*.txt\n/\\#odd\n"},
    {".gitignore": "# comment\n\n*.pyc\nbuild/\n__pycache__/\n"},
    {".gitignore": "*\n!*/\n!*.txt\n"},
    {".gitignore": "/build/*\n!/build/keep\n"},
    {".gitignore": "/build/*\n!/build/keep/\n"},
    {".gitignore": "data/**\n!data/a.txt\n"},
    {".gitignore": "data/**/x.bin\n**/old\n"},
    {".gitignore": "**/deep/**/x.bin\n"},
    {".gitignore": "\\!odd\ntrailing\\ \nsrc/*.txt\n"},
    {".gitignore": "logs/[!1].log\nfoo[0-9]/b?r\nx[]-]y\n"},
    {".gitignore": "logs/[[:digit:]].log\nfoo[12\n"},
    {".gitignore": "back\\\\slash\nsrc/é.txt\r\n"},
    {".gitignore": "f*o*1/b*r\n*o2\n"},
    {".gitignore": "/*\n!/data\n"},
    {".gitignore": "deep\n", "data/.gitignore": "!deep\na.txt\n"},
    {"venv/.gitignore": "*\n"},
    {"venv/.gitignore": "*\n!lib\n"},
    {".gitignore": "venv/*\n!venv/lib\n"},
    {"data/.gitignore": "/a.txt\n/deep/\n", ".gitignore": "!a.txt\n"},
    {".git/info/exclude": "logs/\n", ".gitignore": "!logs/old\n"},
    {".gitignore": "/\n!\n//\n"},
]


@pytest.mark.parametrize("ignores", IGNORES, ids=[str(i) for i in range(len(IGNORES))])
def test_files_are_ignored_as_by_git_and_dvc(project: Path, ignores: dict[str, str]) -> None:
    from scmrepo.git import Git

    plant(project, FILES)
    plant(project, ignores)
    place = find_git(str(project))
    assert place is not None
    ours = GitIgnore(place)
    theirs = Git(str(project))
    checked = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=project,
        input="\0".join(FILES),
        capture_output=True,
        text=True,
        timeout=30,
    )
    ignored = set(checked.stdout.split("\0"))
    with closing(theirs):
        for name in FILES:
            verdict = ours.ignores(name, is_dir=False)
            assert verdict == (name in ignored), name
            assert verdict == theirs.is_ignored(str(project / name)), name
        for name in ("data", "data/deep", "build", "build/keep", "venv", "logs/old", "foo2", "src"):
            expected = theirs.is_ignored(f"{project / name}/")
            assert ours.ignores(name, is_dir=True) == expected, name


def test_the_users_own_file_counts(project: Path, tmp_path: Path) -> None:
    place = find_git(str(project))
    assert place is not None
    home = os.environ["HOME"]
    plant(tmp_path, {"home/.config/git/ignore": "default\n", "home/mine": "*.own\n"})
    default = find_excludes_file(place, home=home, config_home=None)
    assert default == f"{home}/.config/git/ignore"
    assert GitIgnore(place, excludes_file=default).ignores("a/default", is_dir=False)

    plant(tmp_path, {"home/.gitconfig": "[user]\n name = x\n[core]\n\texcludesFile = ~/mine\n"})
    named = find_excludes_file(place, home=home, config_home="/xdg")
    assert named == f"{home}/mine"
    assert GitIgnore(place, excludes_file=named).ignores("x.own", is_dir=False)
    assert find_excludes_file(place, home=None, config_home=None) is None


def test_a_linked_ignore_file_is_not_followed(project: Path, tmp_path: Path) -> None:
    plant(tmp_path, {"elsewhere": "*\n"})
    (project / ".gitignore").symlink_to(tmp_path / "elsewhere")
    place = find_git(str(project))
    assert place is not None
    assert not GitIgnore(place).ignores("x", is_dir=False)


def test_what_lies_outside_of_the_work_tree_is_read_through_links(
    project: Path, tmp_path: Path
) -> None:
    plant(tmp_path, {"excluded": "a\n", "own": "b\n"})
    exclude = project / ".git/info/exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.unlink(missing_ok=True)
    exclude.symlink_to(tmp_path / "excluded")
    (tmp_path / "ignore").symlink_to(tmp_path / "own")
    place = find_git(str(project))
    assert place is not None
    rules = GitIgnore(place, excludes_file=str(tmp_path / "ignore"))
    assert [rules.ignores(path, is_dir=False) for path in "abc"] == [True, True, False]
