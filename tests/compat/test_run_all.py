"""The same experiments queued and run by both tools give the same set of trees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.compat.case import flat
from tests.compat.generated import pipelines, start_of
from tests.compat.pipelines import CHAIN, TRAINED
from tests.support.project import Builder, commit, git, init_dvc

if TYPE_CHECKING:
    from tests.compat.generated import Stage
    from tests.support.environment import Place
    from tests.support.tools import Tool

START = flat(git("init", "--quiet", "-b", "main"), init_dvc(), TRAINED)
RECORD = Path(__file__).parent / "records" / "run-all.trees"
SWEEP = ("-S", "lr=0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8")


def _dvc(place: Place, *args: str) -> None:
    """Real DVC as a process of its own: its queue starts itself again from PATH."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args],
        cwd=place.repo,
        env=place.environ(),
        capture_output=True,
        text=True,
        timeout=800,
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


@pytest.fixture
def recorded() -> list[str]:
    """The trees that DVC's own queue gave; `test_the_record_is_still_true` makes them again."""
    trees: list[str] = json.loads(RECORD.read_text())
    return trees


def test_eight_queued_experiments_have_the_trees_of_dvc(
    builder: Builder, exprun: Tool, tmp_path: Path, recorded: list[str]
) -> None:
    place = builder.build(START, into=tmp_path / "exprun")
    assert exprun.run(["run", "--queue", *SWEEP], place=place).code == 0
    assert _trees(place) == []
    finished = exprun.run(["run", "--run-all", "-j", "4"], place=place)
    assert finished.code == 0, finished.stderr
    assert _trees(place) == recorded


@pytest.mark.parametrize("how", [("-j", "1"), ("-j", "4"), ("-j", "2", "-n", "name")])
def test_a_sweep_that_runs_at_once_has_the_trees_of_dvc(
    how: tuple[str, ...], builder: Builder, exprun: Tool, tmp_path: Path, recorded: list[str]
) -> None:
    place = builder.build(START, into=tmp_path / "exprun")
    finished = exprun.run(["run", *how, *SWEEP], place=place)
    assert finished.code == 0, finished.stderr
    assert _trees(place) == recorded


SHARED = ("-S", "lr=0.1,0.2", "-S", "split=1,2")
ALONE = [("-S", f"lr={lr}", "-S", f"split={split}") for lr in (0.1, 0.2) for split in (1, 2)]


def test_work_that_is_shared_makes_what_dvc_makes_of_each_alone(
    builder: Builder, exprun: Tool, dvc: Tool, tmp_path: Path
) -> None:
    start = flat(git("init", "--quiet", "-b", "main"), init_dvc(), CHAIN, commit())
    alone = []
    for number, overrides in enumerate(ALONE):
        place = builder.build(start, into=tmp_path / str(number))
        ended = dvc.run(["exp", "run", *overrides], place=place)
        assert ended.code == 0, ended.stderr
        alone += _trees(place)
    together = builder.build(start, into=tmp_path / "together")
    ended = exprun.run(["run", *SHARED, "-j", "4"], place=together)
    assert ended.code == 0, ended.stderr
    assert _trees(together) == sorted(alone)


@given(stages=pipelines())
@settings(
    max_examples=4,  # each takes seconds
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
def test_generated_experiments_make_together_what_each_makes_alone(
    exprun: Tool, dvc: Tool, stages: tuple[Stage, ...]
) -> None:
    start = flat(git("init", "--quiet", "-b", "main"), init_dvc(), start_of(stages))
    with TemporaryDirectory() as directory:
        builder = Builder(Path(directory), dvc)
        alone = []
        for number, (lr, x) in enumerate(product((0.1, 0.2), (1, 2))):
            place = builder.build(start, into=Path(directory, str(number)))
            exprun.run(["run", "-S", f"lr={lr}", "-S", f"m.x={x}"], place=place)
            alone += _trees(place)
        together = builder.build(start, into=Path(directory, "together"))
        exprun.run(["run", "-S", "lr=0.1,0.2", "-S", "m.x=1,2", "-j", "4"], place=together)
        assert len(alone) == 4
        assert _trees(together) == sorted(alone)


@pytest.mark.skipif("EXPRUN_LIVE_QUEUE" not in os.environ, reason="takes DVC minutes; CI asks")
@pytest.mark.timeout(900)
def test_the_record_is_still_true(builder: Builder, tmp_path: Path, recorded: list[str]) -> None:
    place = builder.build(START, into=tmp_path / "dvc")
    _dvc(place, "exp", "run", "--queue", *SWEEP)
    _dvc(place, "exp", "run", "--run-all", "-j", "2")
    assert _trees(place) == recorded
