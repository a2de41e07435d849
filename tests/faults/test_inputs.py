"""Stages that change what they read."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.program import experiments, make_project
from tests.support.project import write

if TYPE_CHECKING:
    from tests.support.environment import Place
    from tests.support.tools import Tool

# `edit` writes into its dependency in place, whatever the modes say.
PIPELINE = """\
stages:
  make:
    cmd: mkdir -p made && echo 1 > made/file && echo 1 > one
    outs: [made, one]
  edit:
    cmd: chmod u+w %(dep)s && echo 2 >> %(dep)s && echo > out
    deps: [made, one]
    outs: [out]
"""


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
@pytest.mark.parametrize("dep", ["one", "made/file"])
def test_a_stage_that_writes_into_the_cache_fails(
    place: Place, link: str, dep: str, exprun: Tool
) -> None:
    make_project(
        place, PIPELINE % {"dep": dep}, write(".dvc/config", f"[cache]\n    type = {link}\n")
    )

    ended = exprun.run(("run", "-n", "e"), place=place)

    assert ended.code == 1, ended
    assert "'edit'" in ended.stderr and "wrote into the cache" in ended.stderr
    assert not experiments(place)
    assert len(os.listdir(place.repo / ".dvc/cache/corrupt")) == 1
    mended = PIPELINE.replace("echo 2 >> %(dep)s", "true") % {"dep": dep}
    (place.repo / "dvc.yaml").write_text(mended)
    again = exprun.run(("run", "-n", "f"), place=place)
    assert again.code == 0, again
    assert (place.repo / dep).read_text() == "1\n"


def test_copies_may_be_edited_and_that_is_told(place: Place, exprun: Tool) -> None:
    make_project(place, PIPELINE % {"dep": "one"})

    ended = exprun.run(("run", "-n", "e"), place=place)

    assert ended.code == 0, ended
    assert "WARNING: dependency 'one' changed while stage 'edit' ran" in ended.stderr
    assert not (place.repo / ".dvc/cache/corrupt").exists()


def test_a_lost_metric_that_no_remote_has_is_made_again(
    place: Place, exprun: Tool, dvc: Tool
) -> None:
    make_project(
        place,
        "stages:\n  s: {cmd: echo 1 > o; echo 2 > m, outs: [o], metrics: [m: {cache: false}]}\n",
        write(
            ".dvc/config",
            "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../outside/remote\n",
        ),
    )
    assert exprun.run(("repro",), place=place).code == 0
    assert dvc.run(("push",), place=place).code == 0
    shutil.rmtree(place.repo / ".dvc/cache")
    (place.repo / "m").unlink()

    ended = exprun.run(("repro", "--pull"), place=place)

    assert ended.code == 0, ended
    assert (place.repo / "m").exists()


def test_parameters_that_change_meanwhile_are_told(place: Place, exprun: Tool) -> None:
    stage = "{cmd: 'echo x: 2 > params.yaml; echo > out', params: [x], outs: [out]}"
    make_project(place, f"stages:\n  edit: {stage}\n", write("params.yaml", "x: 1\n"))

    ended = exprun.run(("repro",), place=place)

    assert ended.code == 0, ended
    assert "WARNING: parameters in 'params.yaml' changed while stage 'edit' ran" in ended.stderr


def test_an_import_from_elsewhere_is_refused(place: Place, exprun: Tool) -> None:
    text = "deps:\n- path: https://example.com/x\nouts:\n- path: x\n"
    make_project(place, "stages: {}\n", write("x.dvc", text))

    ended = exprun.run(("repro", "x.dvc"), place=place)

    assert ended.code == 1, ended
    assert "not supported" in ended.stderr
    assert "dvc update x.dvc" in ended.stderr
