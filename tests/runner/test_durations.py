"""What is remembered of how long stages took."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from exprun import ExperimentSpec, events, open_runner
from exprun.model.paths import Location
from exprun.model.stage import Stage
from exprun.runner import durations as remembering
from exprun.runner.durations import Durations

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.conftest import Project


def stage(name: str, cmd: str | None = "true") -> Stage:
    return Stage(name=name, file=Location("dvc.yaml"), wdir=Location(""), cmd=cmd)


def test_the_last_duration_of_each_stage_is_known(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "durations")
    kept = Durations(path)
    assert kept.expect([stage("a"), stage("b")]) == [1.0, 1.0]
    kept.record(stage("a"), 5.0)
    kept.record(stage("a"), 3.0)
    kept.record(stage("b"), 7.0)
    for durations in (kept, Durations(path)):
        stages = [stage("a"), stage("b"), stage("new"), stage("data", cmd=None)]
        assert durations.expect(stages) == [3.0, 7.0, 5.0, 0.0]


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "durations"
    path.write_bytes(
        b'["dvc.yaml:a", 2]\n\xff\n[1, 2]\n["dvc.yaml:a", -1]\n["dvc.yaml:a", NaN]\n["dvc.y'
    )
    assert Durations(str(path)).expect([stage("a")]) == [2.0]


def test_what_cannot_be_kept_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = Durations(str(tmp_path / "file" / "durations"))
    nowhere.record(stage("a"), 5.0)
    assert nowhere.expect([stage("a")]) == [1.0]


def test_the_file_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "_READ", 200)
    monkeypatch.setattr(remembering, "_LARGEST", 400)
    path = str(tmp_path / "durations")
    for number in range(100):
        Durations(path).record(stage("a"), number)
    assert Durations(path).expect([stage("a")]) == [99.0]
    assert os.path.getsize(path) < 100
    assert os.listdir(tmp_path) == ["durations"]


def test_what_is_out_of_date_does_not_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "_SLACK", 10)
    path = str(tmp_path / "durations")
    for number in range(20):
        Durations(path).record(stage("a"), number)
        Durations(path).record(stage("b"), number)
    assert Durations(path).expect([stage("a"), stage("b")]) == [19.0, 19.0]
    with open(path) as file:
        assert len(file.readlines()) == 2


NAMES = [*"abcdefghijk", "long"]
PIPELINE = "stages:\n" + "".join(
    f"  {name}: {{cmd: 'echo ${{lr}} > {name}; sleep {0.3 * (name == 'long')}', outs: [{name}]}}\n"
    for name in NAMES
)


@pytest.mark.timeout(60)
async def test_what_took_long_before_is_started_first(project: Project) -> None:
    (project.root / "dvc.yaml").write_text(PIPELINE)
    (project.root / ".gitignore").write_text("".join(f"/{name}\n" for name in NAMES))
    project.git("commit", "--quiet", "-am", "independent stages")
    started = []
    async with open_runner(project.root, jobs=2, env=project.env) as runner:
        async with runner.subscribe(events.StageStarted) as stream:
            for lr in "23":
                await runner.run(ExperimentSpec(set_params=(f"lr={lr}",)))
                told = [await anext(stream) for _ in NAMES]
                started.append([e.stage for e in told if isinstance(e, events.StageStarted)])
    lines = (project.root / ".dvc/tmp/exprun/durations").read_text().splitlines()
    assert sorted(json.loads(line)[0] for line in lines) == sorted(
        2 * [f"dvc.yaml:{name}" for name in NAMES]
    )
    # Three stages at most are looked at together, and whichever is ready first is started.
    before, after = started
    assert after.index("long") < len(NAMES) // 2 < before.index("long")
