from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from exprun.model.paths import Location
from exprun.project.ignore import IgnoreRules

from .tree import plant

if TYPE_CHECKING:
    from pathlib import Path

FILES = [
    "a.txt",
    "b.py",
    "#odd",
    "!odd",
    "data/a.txt",
    "data/b.py",
    "data/deep/a.txt",
    "data/deep/er/x.bin",
    "build/a.txt",
    "build/keep/a.txt",
    "build/keep/sub/b.py",
    "src/build/x.py",
    "src/a b.txt",
    "src/é.txt",
    "logs/1.log",
    "logs/2.log",
    "logs/old/1.log",
    "nested/.dvc/config",
    "nested/a.txt",
    "src/nested/.dvc/config",
    "src/nested/deep/a.txt",
    ".hidden/a.txt",
    "x/.git/HEAD",
    "x/.hg/a",
    "y/.git",
    "foo1/bar",
    "foo2/bar/baz",
]

IGNORES: list[dict[str, str]] = [
    {},
    {".dvcignore": "# nothing but comments\n\n"},
    {".dvcignore": "*.py\n"},
    {".dvcignore": "data\n"},
    {".dvcignore": "data/\n!data/a.txt\n"},
    {".dvcignore": "/build/*\n!/build/keep/\n"},
    {".dvcignore": "/build/*\n!/build/keep\n"},
    {".dvcignore": "build/\n"},
    {".dvcignore": "/build/\n"},
    {".dvcignore": "data/**\n"},
    {".dvcignore": "data/**\n!data/a.txt\n"},
    {".dvcignore": "**/deep\n"},
    {".dvcignore": "data/**/x.bin\n"},
    {".dvcignore": "**/deep/**/x.bin\n"},
    {".dvcignore": "*\n!*.txt\n"},
    {".dvcignore": "*\n!*/\n!*.txt\n"},
    {".dvcignore": "**\n!a.txt\n"},
    {".dvcignore": "/*\n!/data\n"},
    {".dvcignore": "logs/[0-9].log\n"},
    {".dvcignore": "logs/[!1].log\n"},
    {".dvcignore": "logs/?.log\n!2.log\n"},
    {".dvcignore": "\\#odd\n\\!odd\n"},
    {".dvcignore": "foo?/b*\n"},
    {".dvcignore": "f*1/b*r\n"},
    {".dvcignore": "  a.txt  \n"},
    {".dvcignore": "src/a b.txt\nsrc/é.txt\n"},
    {".dvcignore": "!.git\n!.dvc/\n!nested/\n"},
    {".dvcignore": "data/deep\n", "data/.dvcignore": "!deep\na.txt\n"},
    {"data/.dvcignore": "deep/\n/a.txt\n"},
    {"data/.dvcignore": "*.txt\n", "data/deep/.dvcignore": "!a.txt\n"},
    {".dvcignore": "*.txt\n", "data/deep/.dvcignore": "!/a.txt\n"},
    {".dvcignore": ".dvcignore\n", "data/.dvcignore": "*.py\n"},
    {".dvcignore": "data/deep/\n", "data/deep/.dvcignore": "!*\n"},
    {"src/nested/.dvcignore": "deep\n", "build/.dvcignore": "keep/**\n"},
    {".dvcignore": "*.log\n!logs/\n!/logs/old/\n"},
    {".dvcignore": "logs\n!logs/\n"},
    {".dvcignore": "**/deep/**\n!**/deep/er/\n"},
    {".dvcignore": "**/*/\n"},
    {".dvcignore": "*/\n"},
    {".dvcignore": "/*/\n"},
    {".dvcignore": "*/*\n"},
    {".dvcignore": "data/**/\n"},
    {".dvcignore": "*/**\n"},
    {".dvcignore": "/\n[]x\n"},
]


def ours(root: Path, *, nested_projects: bool = False) -> list[tuple[str, list[str], list[str]]]:
    rules = IgnoreRules(str(root), nested_projects=nested_projects)
    found = []
    for directory, dirs, files in os.walk(root):
        location = Location(os.path.relpath(directory, root))
        dirs[:], files[:] = rules.filter(location, dirs, files)
        found.append((location, list(dirs), list(files)))
    return [(str(location), dirs, files) for location, dirs, files in found]


@pytest.mark.parametrize("nested_projects", [False, True])
@pytest.mark.parametrize("ignores", IGNORES, ids=[str(i) for i in range(len(IGNORES))])
def test_a_walk_sees_what_dvc_sees(
    tmp_path: Path, ignores: dict[str, str], nested_projects: bool
) -> None:
    from dvc.fs import localfs
    from dvc.ignore import DvcIgnoreFilter

    root = tmp_path / "project"
    plant(root, FILES)
    plant(root, ignores)
    theirs = DvcIgnoreFilter(localfs, str(root))
    walked = [
        (os.path.relpath(directory, root), list(dirs), list(files))
        for directory, dirs, files in theirs.walk(
            localfs, str(root), ignore_subrepos=not nested_projects
        )
    ]
    assert ours(root, nested_projects=nested_projects) == walked


@pytest.mark.parametrize("ignores", IGNORES, ids=[str(i) for i in range(len(IGNORES))])
def test_single_paths_are_judged_as_by_dvc(tmp_path: Path, ignores: dict[str, str]) -> None:
    from dvc.fs import localfs
    from dvc.ignore import DvcIgnoreFilter

    root = tmp_path / "project"
    plant(root, FILES)
    plant(root, ignores)
    theirs = DvcIgnoreFilter(localfs, str(root))
    rules = IgnoreRules(str(root))
    for name in [*FILES, "data", "data/deep", "build", "build/keep", "nested", "logs/old", "new"]:
        path = str(root / name)
        location = Location(name)
        assert rules.is_ignored(location, is_dir=False) == theirs.is_ignored_file(path), name
        assert rules.is_ignored(location, is_dir=True) == theirs.is_ignored_dir(path), name
        expected = theirs.is_ignored(localfs, path, ignore_subrepos=False)
        unnested = IgnoreRules(str(root), nested_projects=True)
        assert unnested.ignores_output(location) == expected, name


def test_what_lies_outside_is_never_ignored(tmp_path: Path) -> None:
    plant(tmp_path, {".dvcignore": "*\n", "project/.dvcignore": "*\n"})
    rules = IgnoreRules(str(tmp_path / "project"))
    for location in (".", "..", "../x/y", "/etc/passwd", "s3://bucket/key"):
        assert not rules.is_ignored(Location(location), is_dir=True)
    assert rules.is_ignored(Location("x"), is_dir=False)


def test_a_pattern_full_of_stars_takes_no_time(tmp_path: Path) -> None:
    plant(tmp_path, {".dvcignore": "*a" * 60 + "b\n" + "**/a/" * 30 + "b\n"})
    rules = IgnoreRules(str(tmp_path))
    assert not rules.is_ignored(Location("a" * 200), is_dir=False)
    assert not rules.is_ignored(Location("/".join("a" * 40)), is_dir=False)
