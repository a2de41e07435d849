"""The README's example of embedding, run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exprun.cli.demo_project import make_demo_project
from tests.house.sources import ROOT
from tests.support.environment import Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(60)
def test_the_example_runs_three_experiments(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("\n## Embed it\n")[1]
    example = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[0]
    place = Place(tmp_path)
    place.prepare()
    project = place.repo / "demo"
    make_demo_project(str(project), env=place.environ())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=project,
        env=place.environ() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(re.findall(r"^\S+ train succeeded$", done.stdout, re.MULTILINE)) == 3
    assert len(re.findall(r"^\S+ [0-9a-f]{40}$", done.stdout, re.MULTILINE)) == 3
