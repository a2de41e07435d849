"""The same experiments queued and run by both tools give the same set of trees."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.compat.case import flat
from tests.compat.pipelines import TRAINED
from tests.support.project import git, init_dvc

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Builder
    from tests.support.tools import Tool

START = flat(git("init", "--quiet", "-b", "main"), init_dvc(), TRAINED)
SWEEP = ("-S", "lr=0.1,0.2,0.3,0.4", "-S", "epochs=1,2")


def _dvc(place: Place, *args: str) -> None:
    """Real DVC as a process of its own: its queue starts itself again from PATH."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args],
        cwd=place.repo,
        env=place.environ(),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _trees(place: Place) -> list[str]:
    """The trees of all experiments, sorted."""
    listed = subprocess.run(
        ["git", "for-each-ref", "--format=%(tree) %(refname)", "refs/exps"],
        cwd=place.repo,
        env=place.environ(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    rows = (line.split() for line in listed.splitlines())
    return sorted(tree for tree, ref in rows if len(ref.split("/")) == 5)


@pytest.mark.timeout(300)
def test_eight_queued_experiments_have_the_trees_of_dvc(
    builder: Builder, exprun: Tool, tmp_path: Path
) -> None:
    theirs = builder.build(START, into=tmp_path / "dvc")
    _dvc(theirs, "exp", "run", "--queue", *SWEEP)
    _dvc(theirs, "exp", "run", "--run-all", "-j", "2")

    ours = builder.build(START, into=tmp_path / "exprun")
    assert exprun.run(["run", "--queue", *SWEEP], place=ours).code == 0
    before = _trees(ours)
    finished = exprun.run(["run", "--run-all", "-j", "4"], place=ours)
    assert finished.code == 0, finished.stderr

    assert before == []
    assert len(_trees(ours)) == 8
    assert _trees(ours) == _trees(theirs)
