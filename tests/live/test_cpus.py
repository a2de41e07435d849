"""The commands of stages may use every CPU that exprun was given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live.conftest import Project


@pytest.mark.parametrize(
    "commands",
    [
        (("run", "-S", "x=1"),),
        (("run", "-S", "x=1", "--temp"),),
        (("run", "-S", "x=1,2", "--queue"), ("run", "--run-all", "-j", "2")),
    ],
    ids=["workspace", "temp", "queue"],
)
def test_stages_have_every_cpu(project: Project, commands: tuple[tuple[str, ...], ...]) -> None:
    seen = project.place.root / "seen"
    project.setup(f"nproc >> {seen}; echo '{{}}' > m.json; echo $1 > out.txt\n")
    for command in commands:
        done = project.run(*command)
        assert done.code == 0, done.stderr
    assert set(map(int, seen.read_text().split())) == {len(os.sched_getaffinity(0))}
