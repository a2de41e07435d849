"""A project whose one stage does as its parameters say, and exprun to run it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.house.sources import ROOT
from tests.support.environment import Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from tests.support.forkserver import Finished
    from tests.support.tools import Tool

STAGE = """\
stages:
  train:
    cmd: sh train.sh ${x}
    deps: [train.sh]
    params: [x]
    outs: [out.txt]
    metrics: [m.json]
    meta: {exprun: META}
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A project at a place, with commands that are run in it."""

    place: Place
    tool: Tool

    def setup(self, script: str, meta: str = "{}") -> None:
        """Make `script` what the stage runs, with its value of `x` as argument; commit."""
        self.write("dvc.yaml", STAGE.replace("META", meta))
        self.write("train.sh", script)
        self.write("params.yaml", "x: 0\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "one")

    def write(self, path: str, text: str) -> None:
        target = self.place.repo / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)

    def git(self, *args: str) -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=self.place.repo,
            env=self.place.environ(),
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout

    def run(self, *args: str) -> Finished:
        return self.tool.run(args, place=self.place)

    def start(
        self, *args: str, env: Mapping[str, str] | None = None, **streams: Any
    ) -> subprocess.Popen[bytes]:
        """A process of its own, to be seen from outside."""
        return subprocess.Popen(
            [sys.executable, "-m", "exprun", *args],
            cwd=self.place.repo,
            env=self.place.environ() | {"PYTHONPATH": str(ROOT), "TERM": "xterm"} | dict(env or {}),
            **streams,
        )

    def queue(self) -> dict[str, dict[str, Any]]:
        """What is in the queue, by the value of `x`."""
        rows = json.loads(self.run("queue", "status", "--json").stdout)
        return {row["overrides"][0].removeprefix("x="): row for row in rows}

    def events(self, file: str = "events") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.place.root / file).read_text().splitlines()]


@pytest.fixture
def project(tmp_path: Path, exprun: Tool) -> Project:
    place = Place(tmp_path)
    place.prepare()
    project = Project(place, exprun)
    project.write(".dvc/config", "")
    project.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    project.git("init", "-q")
    return project
