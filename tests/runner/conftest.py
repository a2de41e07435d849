"""Small real projects whose stages a test can hold up, and processes it can look for."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.environment import Place, commit_dates
from tests.support.project import Git, Write, init_dvc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIPELINE = """\
stages:
  prepare:
    cmd: echo prepared > data.txt
    outs: [data.txt]
  train:
    cmd: sh train.sh
    deps: [data.txt, train.sh]
    params: [mode, lr]
    outs: [model.txt]
"""

# What `mode` asks for: to succeed, to fail, to wait for a file, or never to end, deaf and with a
# child in another session.
TRAIN = """\
mode=$(sed -n 's/^mode: //p' params.yaml)
echo "training $mode"
case $mode in
  fail) exit 3 ;;
  wait) until [ -e "$GATE" ]; do sleep 0.02; done ;;
  hang) trap '' TERM INT; setsid sleep 1000 & while :; do sleep 0.05; done ;;
esac
cp params.yaml model.txt
"""

PROJECT = (
    Git(("init", "--quiet")),
    *init_dvc(),
    Write("dvc.yaml", PIPELINE),
    Write("train.sh", TRAIN),
    Write("params.yaml", "mode: good\nlr: 1\n"),
    Write(".gitignore", "/data.txt\n/model.txt\n"),
    Git(("add", "--all")),
    Git(("commit", "--quiet", "-m", "first")),
)


@dataclass(frozen=True)
class Project:
    """A project in a place of its own."""

    place: Place

    @property
    def root(self) -> Path:
        return self.place.repo

    @property
    def env(self) -> dict[str, str]:
        return self.place.environ() | {"GATE": str(self.gate)}

    @property
    def gate(self) -> Path:
        """What stages in mode `wait` wait for."""
        return self.place.root / "gate"

    def git(self, *args: str) -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=self.root,
            env=self.env | commit_dates(0),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout.strip()

    def processes(self) -> list[int]:
        """Those that any stage of this project has left running, known by the environment."""
        mark = f"GATE={self.gate}\0".encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if mark in file.read():
                        found.append(int(pid))
            except OSError:
                continue
        return found


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[str], Project]:
    def make(name: str) -> Project:
        place = Place(tmp_path / name)
        place.prepare()
        project = Project(place)
        for action in PROJECT:
            if isinstance(action, Git):
                project.git(*action.args)
            elif isinstance(action, Write):
                path = project.root / action.path
                path.parent.mkdir(exist_ok=True)
                assert isinstance(action.content, str)
                path.write_text(action.content)
        return project

    return make


@pytest.fixture
def project(make_project: Callable[[str], Project]) -> Project:
    return make_project("one")
