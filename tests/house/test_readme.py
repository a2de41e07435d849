"""The README's commands, run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from exprun import __version__
from exprun.cli import exits
from exprun.cli.main import COMMANDS
from tests.house.sources import ROOT
from tests.support.environment import Place

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text()


def blocks(heading: str) -> list[str]:
    """The shell blocks of the section under `heading`."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place where `exprun` and `dvc` are those of this environment."""
    place = Place(tmp_path)
    place.prepare()
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for tool in ("exprun", "dvc"):
        script = scripts / tool
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {tool} "$@"\n')
        script.chmod(0o755)
    return place


def test_the_two_commands_are_one_line_each() -> None:
    assert blocks("Install") == [
        "pip install . && exprun demo\n",
        "pip install -e '.[test]' && pytest\n",
    ]
    assert (
        "test"
        in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    )


@pytest.mark.timeout(240)
def test_the_tour_works(place: Place) -> None:
    environment = place.environ()
    environment["PATH"] = f"{place.root}/scripts:{environment['PATH']}"
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        ["sh", "-eu"],
        input="".join(blocks("A tour in two minutes")),
        cwd=place.repo,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    project = place.repo / "tour"
    refs = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"faster", "longer"} <= set(refs.stdout.split()), said
    # After the last repro, both tools find nothing left to do.
    assert "Data and pipelines are up to date." in done.stdout.split("Use `dvc push`")[-1]


def test_every_command_and_exit_code_is_in_the_readme() -> None:
    assert not [name for name in COMMANDS if f"`exprun {name}`" not in README]
    for code in (exits.OK, exits.FAILED, exits.REFUSED, exits.BROKEN):
        assert re.search(rf"^\| {code} \|", README, re.MULTILINE)


def test_the_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[({re.escape(__version__)}|Unreleased)\]", changelog, re.MULTILINE)
