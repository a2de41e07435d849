"""Either tool continues where the other stopped: results are up to date, shown and applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.compat.case import flat
from tests.compat.cases import all_cases
from tests.support.lines import known_lines
from tests.support.project import Git, perform
from tests.support.snapshot import take_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compat.case import Case
    from tests.support.environment import Place
    from tests.support.project import Builder
    from tests.support.tools import Tool

SAMPLE = (
    "cmd-list",
    "out-directory",
    "out-executable",
    "metrics-and-plots",
    "params-all-file-types",
    "templating-everywhere",
    "matrix",
    "cache-type-symlink",
    "cache-type-hardlink",
    "data-added",
    "names-unusual",
    "set-several-files",
    "wdir",
)


@pytest.fixture(params=SAMPLE)
def case(request: pytest.FixtureRequest) -> Case:
    return next(case for case in all_cases() if case.name == request.param)


def _played(case: Case, tool: Tool, dvc: Tool, builder: Builder, directory: Path) -> Place:
    place = builder.build(case.start, into=directory / "place")
    for number, action in enumerate(case.steps, 1000):
        finished = perform(action, place, tool=tool, dvc_tool=dvc, at=number)
        assert finished is None or finished.code == 0, finished
    return place


def _ran(stdout: str) -> list[str]:
    return [line for line in known_lines(stdout) if line.startswith("Running stage")]


def test_dvc_finds_nothing_to_do_after_exprun(
    case: Case, exprun: Tool, dvc: Tool, builder: Builder, tmp_path: Path
) -> None:
    place = _played(case, exprun, dvc, builder, tmp_path)

    status = dvc.run(("status", "--json"), place=place)
    again = dvc.run(("repro",), place=place)

    assert json.loads(status.stdout) == {}
    assert again.code == 0
    assert _ran(again.stdout) == []
    assert "up to date" in again.stdout


def test_exprun_finds_nothing_to_do_after_dvc(
    case: Case, exprun: Tool, dvc: Tool, builder: Builder, tmp_path: Path
) -> None:
    place = _played(case, dvc, dvc, builder, tmp_path)
    before = take_snapshot(place)

    again = exprun.run(("repro",), place=place)

    assert again.code == 0, again
    assert _ran(again.stdout) == []
    assert take_snapshot(place) == before


def test_dvc_applies_and_restores_what_exprun_made(
    case: Case, exprun: Tool, dvc: Tool, builder: Builder, tmp_path: Path
) -> None:
    place = _played(case, exprun, dvc, builder, tmp_path)
    made = take_snapshot(place)
    name = [key.split(" of ")[0] for key in made.experiments][-1]
    everything = flat(Git(("stash", "--include-untracked", "--quiet")), Git(("clean", "-fdq")))
    for action in everything:
        perform(action, place, tool=dvc, dvc_tool=dvc, at=2000)

    applied = dvc.run(("exp", "apply", name), place=place)

    assert applied.code == 0, applied
    assert take_snapshot(place).files["dvc.lock"] == made.files["dvc.lock"]
    after = dvc.run(("status", "--json"), place=place)
    assert json.loads(after.stdout) == {}


def test_exprun_restores_from_the_run_cache_that_dvc_wrote(
    case: Case, exprun: Tool, dvc: Tool, builder: Builder, tmp_path: Path
) -> None:
    place = _played(case, dvc, dvc, builder, tmp_path)
    cached = take_snapshot(place).run_cache
    lock = (place.repo / "dvc.lock").read_bytes()
    (place.repo / "dvc.lock").unlink()

    again = exprun.run(("repro",), place=place)

    assert again.code == 0, again
    assert sorted(lock) == sorted((place.repo / "dvc.lock").read_bytes())
    assert take_snapshot(place).run_cache == cached
