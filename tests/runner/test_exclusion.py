"""Mutexes and GPUs are held by one stage at a time, whichever process runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from exprun import ExperimentSpec, Resources, open_runner
from exprun.abc import StopRequest
from exprun.model.job import CancelReason
from exprun.runner.exclusion import Exclusion

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.conftest import Project

pytestmark = pytest.mark.timeout(60)


def unasked(name: str) -> None:
    pytest.fail(f"waited for {name}")


async def test_a_name_is_held_once_and_others_beside_it(tmp_path: Path) -> None:
    one, two = Exclusion(str(tmp_path / "state")), Exclusion(str(tmp_path / "state"))
    waits: list[str] = []
    story: list[str] = []
    waiting = anyio.Event()

    def wait(name: str) -> None:
        waits.append(name)
        waiting.set()

    async def second() -> None:
        async with two.held(["c", "a"], StopRequest(), wait):
            story.append("second")

    async with anyio.create_task_group() as tasks:
        async with one.held(["b", "a"], StopRequest(), unasked):
            tasks.start_soon(second)
            await waiting.wait()
            async with two.held(["d/../e", ""], StopRequest(), unasked):
                story.append("beside")
            story.append("first")
    assert story == ["beside", "first", "second"]
    assert waits == ["a"], "told once"


async def test_who_is_asked_to_stop_waits_no_longer(tmp_path: Path) -> None:
    one, two = Exclusion(str(tmp_path)), Exclusion(str(tmp_path))
    stop = StopRequest()
    async with one.held(["a"], StopRequest(), unasked):
        async with two.held(["a"], stop, lambda name: stop.request(CancelReason.REQUESTED)):
            pass


# Each stage says what it uses by a directory, which cannot be made twice.
PIPELINE = """\
stages:
  train:
    cmd: mkdir "$HELD/gpu$CUDA_VISIBLE_DEVICES" && sleep 0.1 && echo ${lr} > model.txt
      && rmdir "$HELD/gpu$CUDA_VISIBLE_DEVICES"
    outs: [model.txt]
    meta: {exprun: ASKED}
"""


@pytest.mark.parametrize("asked", ["{mutex: [db]}", "{gpus: 1}"])
async def test_two_runners_of_a_project_never_use_the_same_at_once(
    project: Project, asked: str
) -> None:
    held = project.place.root / "held"
    held.mkdir()
    (project.root / "dvc.yaml").write_text(PIPELINE.replace("ASKED", asked))
    project.git("commit", "--quiet", "-am", "exclusive")
    env = project.env | {"HELD": str(held)}
    there = Resources(gpus=("0",))
    async with (
        open_runner(project.root, jobs=2, env=env, resources=there) as one,
        open_runner(project.root, jobs=2, env=env, resources=there) as two,
    ):
        handles = [
            await runner.submit(ExperimentSpec(set_params=(f"lr={lr}",)))
            for lr, runner in ((2, one), (3, two), (4, one), (5, two))
        ]
        results = [await handle.wait() for handle in handles]
    assert [result.reason for result in results] == [None] * 4
