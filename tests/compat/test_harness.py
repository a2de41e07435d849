"""The comparison itself can be trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.compat.case import case
from tests.compat.cases import all_cases
from tests.compat.deviations import comparable
from tests.compat.differences import differences
from tests.compat.pipelines import CHAIN
from tests.compat.play import play, play_at
from tests.support.environment import Place
from tests.support.forkserver import TIMED_OUT, Finished
from tests.support.project import Write, init_dvc, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from tests.support.project import Builder
    from tests.support.tools import Tool

BROAD = case("broad", CHAIN, steps=(run("-n", "e", "-S", "lr=4"), run("-n", "t", "--temp")))


class SeparateProcesses:
    """DVC as users start it."""

    experiment_command = ("exp", "run")

    def run(self, args: Sequence[str], *, place: Place, cwd: str = ".") -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *args],
            cwd=place.repo / cwd,
            env=place.environ(),
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        return Finished(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def test_forked_commands_equal_separate_ones(dvc: Tool, builder: Builder, tmp_path: Path) -> None:
    place = builder.build(BROAD.start, into=tmp_path / "place")

    separate = play_at(place, BROAD, tool=SeparateProcesses(), dvc=dvc)
    forked = play(BROAD, tool=dvc, dvc=dvc, builder=builder)

    assert differences(separate, forked, names=("separate", "forked")) == ""


def test_a_difference_is_seen(dvc: Tool, builder: Builder) -> None:
    other = case("broad", CHAIN, steps=(run("-n", "e", "-S", "lr=5"), run("-n", "t", "--temp")))

    one = play(BROAD, tool=dvc, dvc=dvc, builder=builder)
    two = play(other, tool=dvc, dvc=dvc, builder=builder)

    found = differences(comparable(one, BROAD), comparable(two, BROAD), names=("one", "two"))
    assert '+     "        lr: 5\\n",' in found
    assert '"tree":' in found


def test_our_init_is_that_of_dvc(dvc: Tool, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.prepare()
    subprocess.run(["git", "init", "-q", str(place.repo)], check=True, timeout=20)

    assert dvc.run(("init", "-q"), place=place).code == 0

    for action in init_dvc():
        assert isinstance(action, Write)
        assert (place.repo / action.path).read_text() == action.content
    made = {path.name for path in (place.repo / ".dvc").iterdir()}
    assert made == {"config", ".gitignore", "tmp"}


def test_places_are_isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_AUTO_PUSH", "true")

    environ = Place(tmp_path).environ()

    assert "DVC_EXP_AUTO_PUSH" not in environ
    assert environ["HOME"] != os.environ.get("HOME")


def test_a_command_that_hangs_is_ended(dvc: Tool, builder: Builder, tmp_path: Path) -> None:
    hanging = case(
        "hanging",
        Write("dvc.yaml", "stages:\n  s:\n    cmd: sleep 60\n"),
        steps=run("-n", "e"),
    )
    place = builder.build(hanging.start, into=tmp_path / "place")

    finished = dvc.run(("repro",), place=place, timeout_s=1.5)

    assert finished.code == TIMED_OUT


def test_there_are_as_many_cases_as_promised() -> None:
    assert len(all_cases()) >= 100
