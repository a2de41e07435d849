"""A good stage succeeds however exprun is started; `test_repositories` is about where."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.environment import Place
from tests.support.program import experiments, git, git_state, make_project, run
from tests.support.project import write

if TYPE_CHECKING:
    from tests.support.tools import Tool

PIPELINE = "stages:\n  s: {cmd: 'cat in > ö; echo ✓', deps: [in], outs: [ö]}\n"
IN = write("in", "in\n")


def _surroundings(place: Place) -> dict[str, dict[str, str | None]]:
    locked = place.root / "locked"
    locked.mkdir(mode=0o500)
    return {
        "no home": {"HOME": None, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None},
        "read-only home": {"HOME": str(locked), "XDG_CACHE_HOME": None},
        "home is a file": {"HOME": str(place.repo / "in"), "XDG_CACHE_HOME": None},
        "C locale": {"LC_ALL": "C", "LANG": None},
        "no locale": {"LC_ALL": None, "LANG": None},
        "ASCII streams": {"PYTHONIOENCODING": "ascii"},
        "no shell": {"SHELL": None},
        "no path but the system's": {"PATH": os.defpath},
    }


@pytest.mark.parametrize(
    "name",
    [
        "no home",
        "read-only home",
        "home is a file",
        "C locale",
        "no locale",
        "ASCII streams",
        "no shell",
        "no path but the system's",
    ],
)
def test_odd_environments(place: Place, name: str) -> None:
    make_project(place, PIPELINE, IN)
    git(place, "config", "user.name", "Ada")
    git(place, "config", "user.email", "ada@example.com")

    env = _surroundings(place)[name]

    queued = run(place, "run", "--queue", "-f", "-n", "later", env=env)
    here = run(place, "run", "-n", "here", env=env)
    later = run(place, "run", "--run-all", env=env)

    assert (queued.code, here.code, later.code) == (0, 0, 0), (queued, here, later)
    assert set(experiments(place)) == {"here", "later"}
    assert (place.repo / "ö").read_text() == "in\n"


def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    place = Place(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")))
    try:
        place.prepare()
    except OSError:
        pytest.skip("the file system takes text only")
    make_project(place, PIPELINE, IN)

    ended = run(place, "run", "-n", "e")

    assert ended.code == 0, ended


def test_a_project_below_the_repository(place: Place, exprun: Tool) -> None:
    make_project(place, "stages: {}\n")
    shutil.move(place.repo / ".dvc", place.root / "dvc")
    (place.repo / "sub").mkdir()
    shutil.move(place.root / "dvc", place.repo / "sub/.dvc")
    (place.repo / "dvc.yaml").unlink()
    (place.repo / "sub/dvc.yaml").write_text(PIPELINE)
    (place.repo / "sub/in").write_text("in\n")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "-m", "sub")
    before = git_state(place)

    here = exprun.run(("run", "-n", "here"), place=place, cwd="sub")
    temp = exprun.run(("run", "-n", "temp", "--temp", "-f"), place=place, cwd="sub")

    assert (here.code, temp.code) == (0, 0), (here, temp)
    assert "sub/dvc.lock" in git(place, "ls-tree", "-r", "--name-only", _ref(place, "temp"))
    assert git_state(place) == before


def _ref(place: Place, name: str) -> str:
    refs = git(place, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return next(ref for ref in refs if ref.endswith(f"/{name}"))


def test_staged_changes_and_the_stash_stay(place: Place, exprun: Tool) -> None:
    make_project(place, PIPELINE, IN, write("other", "1\n"))
    (place.repo / "other").write_text("stashed\n")
    git(place, "stash")
    (place.repo / "other").write_text("staged\n")
    git(place, "add", "other")
    (place.repo / "other").write_text("edited\n")
    before: dict[str, Any] = git_state(place)

    ended = exprun.run(("run", "-n", "e"), place=place)

    assert ended.code == 0, ended
    assert git_state(place) == before
    assert git(place, "show", f"{_ref(place, 'e')}:other") == "edited\n"
    assert (place.repo / "other").read_text() == "edited\n"
