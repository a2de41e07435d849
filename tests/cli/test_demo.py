"""``exprun demo`` on a machine with nothing but Python and Git."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.environment import Place

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tools import Tool

SAID = r"""Made a Git repository with a DVC pipeline in <place>/repo/my demo

\$ exprun run -n baseline
  prepare   ran in \d\.\d s
  train     ran in \d\.\d s
  evaluate  ran in \d\.\d s

\$ exprun run -n slow -S train.lr=0.001
  prepare   unchanged, skipped
  train     ran in \d\.\d s
  evaluate  ran in \d\.\d s

\$ exprun run -n fast -S train.lr=0.5
  prepare   unchanged, skipped
  train     ran in \d\.\d s
  evaluate  ran in \d\.\d s

\$ exprun run -n plain -S train.lr=0.5 -S train.l2=0
  prepare   unchanged, skipped
  train     ran in \d\.\d s
  evaluate  ran in \d\.\d s

 experiment   train.lr   train.l2   accuracy     loss
 ────────────────────────────────────────────────────
 baseline          0.1      0.001     0.9778   0.0952
 slow            0.001      0.001     0.8444   0.4905
 fast              0.5      0.001     0.9778   0.0794
 plain             0.5          0     0.9778   0.0386

Each experiment is a Git commit with its parameters, metrics and dvc.lock. Now try:

  cd 'my demo'
  exprun run -S train.lr=0.2 -S train.epochs=80
  exprun status
  git for-each-ref refs/exps
"""


@pytest.fixture
def bare(tmp_path: Path) -> Place:
    """A place whose Git knows no identity, and ignores what the demo is made of."""
    place = Place(tmp_path / "place")
    place.prepare()
    home = place.root / "home"
    (home / ".gitconfig").write_text("[commit]\n\tgpgSign = true\n")
    (home / ".config" / "git").mkdir()
    (home / ".config" / "git" / "ignore").write_text("*.csv\n")
    return place


def git(place: Place, *args: str) -> str:
    done = subprocess.run(
        ["git", *args],
        cwd=place.repo / "my demo",
        env=place.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_demo_runs_and_tells(bare: Place, exprun: Tool) -> None:
    finished = exprun.run(["demo", "my demo"], place=bare)
    told = "".join(f"{line.rstrip()}\n" for line in bare.normalised(finished.stdout).splitlines())
    assert (finished.code, finished.stderr) == (0, "")
    assert re.fullmatch(SAID, told), told
    assert git(bare, "log", "--format=%an <%ae>: %s") == (
        "exprun demo <demo@exprun.invalid>: the exprun demo\n"
    )
    names = [ref.rpartition("/")[2] for ref in git(bare, "for-each-ref", "refs/exps").splitlines()]
    assert names == ["baseline", "fast", "plain", "slow"]
    files = git(bare, "ls-files").splitlines()
    assert " ".join(files) == (
        ".dvc/.gitignore .dvc/config .dvcignore .gitignore README.md data/iris.csv dvc.yaml"
        " params.yaml src/evaluate.py src/prepare.py src/train.py"
    )
    status = exprun.run(["status"], place=bare, cwd="my demo")
    assert status.stdout == "Data and pipelines are up to date.\n"


def test_the_demo_needs_no_dvc(bare: Place, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh"):
        (tools / name).symlink_to(_which(name))
    environ = bare.environ() | {"PATH": str(tools), "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "import sys; sys.modules['dvc'] = None; from exprun.cli.main import run; run(['demo'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=bare.repo,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "plain             0.5          0     0.9778   0.0386" in done.stdout


def _which(name: str) -> str:
    import shutil

    found = shutil.which(name)
    assert found
    return found


def test_a_directory_in_use_is_left_alone(bare: Place, exprun: Tool) -> None:
    occupied = bare.repo / "exprun-demo"
    occupied.mkdir()
    (occupied / "mine").touch()
    finished = exprun.run(["demo"], place=bare)
    assert (finished.code, finished.stdout) == (2, "")
    assert bare.normalised(finished.stderr) == (
        "ERROR: '<place>/repo/exprun-demo' exists and is not an empty directory\n"
        "  name another one: exprun demo DIRECTORY\n"
    )
    assert os.listdir(occupied) == ["mine"]
