from __future__ import annotations

import os
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from exprun.model.paths import Location
from exprun.project.collect import collect_dvc_files
from exprun.project.gitignore import GitIgnore
from exprun.project.ignore import IgnoreRules
from exprun.project.root import find_project

from .tree import plant

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.project.root import Place


def made_by(place: Place, location: Location) -> list[Location]:
    """The outputs of a file written by `pipeline`; the real loader is not this room's business."""
    outs = []
    with open(os.path.join(place.root, location), encoding="utf-8") as file:
        for line in file:
            path = line.strip().removeprefix("- ").removeprefix("path: ")
            if path.startswith("out_"):
                outs.append(os.path.normpath(os.path.join(os.path.dirname(location), path)))
    return [Location(out) for out in outs]


def pipeline(*outs: str) -> str:
    name = "_".join(outs) or "nothing"
    lines = "".join(f"\n    - {out}" for out in outs)
    return f"stages:\n  {name}:\n    cmd: x\n" + (f"    outs:{lines}\n" if outs else "")


def ours(root: Path) -> list[str]:
    place = find_project(str(root))
    assert place.git is not None
    return [
        str(location)
        for location in collect_dvc_files(
            place,
            lambda location: made_by(place, location),
            ignore=IgnoreRules(place.root),
            git_ignore=GitIgnore(place.git),
        )
    ]


def theirs(root: Path) -> list[str]:
    from dvc.repo import Repo
    from dvc.repo.index import collect_files

    with closing(Repo(str(root))) as repo:
        return [os.path.relpath(path, root) for path, _ in collect_files(repo)]


TREES: list[dict[str, str]] = [
    {},
    {
        "dvc.yaml": pipeline(),
        "z/dvc.yaml": pipeline(),
        "a/dvc.yaml": pipeline(),
        "a/b/c/dvc.yaml": pipeline(),
        "m.dvc": "outs:\n- path: out_m\n",
        "a/x.dvc": "outs:\n- path: out_x\n",
        "dvc.yml": "not one",
        "a/dvc.lock": "schema: '2.0'\nstages: {}\n",
    },
    {
        "dvc.yaml": pipeline("out_data", "out_deep/er"),
        "out_data/dvc.yaml": pipeline(),
        "out_data/deeper/dvc.yaml": pipeline(),
        "out_deep/dvc.yaml": pipeline(),
        "out_deep/er/dvc.yaml": pipeline(),
        "other/out_data/dvc.yaml": pipeline(),
    },
    {
        ".gitignore": "/ignored\nalso/\n*.tmp.dvc\nhalf/*\n!half/dvc.yaml\n",
        "dvc.yaml": pipeline(),
        "ignored/dvc.yaml": pipeline(),
        "x/also/dvc.yaml": pipeline(),
        "x/a.tmp.dvc": "outs:\n- path: out_a\n",
        "x/.gitignore": "*\n!dvc.yaml\n!dvc.lock\n",
        "x/dvc.yaml": pipeline(),
        "half/dvc.yaml": pipeline(),
        "also": "a file",
    },
    {
        ".dvcignore": "skipped/\n*.old.dvc\n",
        "a/skipped/dvc.yaml": pipeline(),
        "a/b.old.dvc": "outs:\n- path: out_b\n",
        "a/b.dvc": "outs:\n- path: out_b\n",
        "a/.dvcignore": "/c/dvc.yaml\n",
        "a/c/dvc.yaml": pipeline(),
        "a/d/c/dvc.yaml": pipeline(),
    },
    {
        "nested/.dvc/config": "",
        "nested/dvc.yaml": pipeline(),
        "x/nested/.dvc/config": "",
        "x/nested/deep/dvc.yaml": pipeline(),
        "x/.git/dvc.yaml": pipeline(),
        "x/.dvc.yaml": "",
        "odd.dvc/dvc.yaml": pipeline(),
    },
]


@pytest.mark.parametrize("tree", TREES, ids=[str(i) for i in range(len(TREES))])
def test_files_are_found_as_dvc_finds_them(project: Path, tree: dict[str, str]) -> None:
    plant(project, tree)
    found = ours(project)
    assert found == theirs(project)
    assert bool(found) == bool(tree)


def test_linked_directories_are_not_followed(project: Path) -> None:
    plant(project, {"real/dvc.yaml": pipeline()})
    (project / "link").symlink_to("real")
    (project / "loop").symlink_to("loop")
    (project / "linked.dvc").symlink_to("real/dvc.yaml")
    (project / "linked.dvc").unlink()
    assert ours(project) == theirs(project) == ["real/dvc.yaml"]


def test_a_project_below_the_root_of_its_repository(project: Path) -> None:
    plant(project, {".gitignore": "/sub/hidden\n/gone\n", "sub/.dvc/config": ""})
    plant(project / "sub", {"dvc.yaml": pipeline(), "hidden/dvc.yaml": pipeline()})
    plant(project / "gone", {".dvc/config": "", "dvc.yaml": pipeline()})
    for name, expected in (("sub", ["dvc.yaml"]), ("gone", [])):
        assert ours(project / name) == expected
        assert theirs(project / name) == expected


def test_data_directories_are_not_listed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(project, {"data.dvc": "outs:\n- path: out_data\n", ".gitignore": "/raw\n"})
    plant(project, ["out_data/a/x", "raw/b/y", "src/z"])
    listed: list[str] = []
    scandir = os.scandir

    def watch(path: str) -> object:
        listed.append(os.path.relpath(path, project))
        return scandir(path)

    monkeypatch.setattr("os.scandir", watch)
    assert ours(project) == ["data.dvc"]
    # Our own state is looked through for links when the project is found.
    assert sorted(name for name in listed if not name.startswith(".dvc/tmp")) == [".", "src"]


def test_what_loading_raises_passes(project: Path) -> None:
    plant(project, {"dvc.yaml": ""})

    def refuse(location: Location) -> list[Location]:
        raise ValueError(location)

    place = find_project(str(project))
    with pytest.raises(ValueError, match=r"dvc\.yaml"):
        collect_dvc_files(place, refuse, ignore=IgnoreRules(place.root), git_ignore=None)


def test_a_work_tree_without_git_ignores_nothing(project: Path) -> None:
    plant(project, {".gitignore": "*\n", "dvc.yaml": ""})
    place = find_project(str(project))
    found = collect_dvc_files(place, lambda _: [], ignore=IgnoreRules(place.root), git_ignore=None)
    assert found == ["dvc.yaml"]
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", "dvc.yaml"], cwd=project, check=False, timeout=30
    )
    assert ignored.returncode == 0
