"""No value of the environment is kept, and what is kept is for its owner only."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.support.program import git, make_project
from tests.support.project import write

if TYPE_CHECKING:
    from tests.support.environment import Place
    from tests.support.tools import Tool

SECRET = "hunter2-of-the-environment"
PIPELINE = """\
stages:
  s: {cmd: sh s.sh, params: [lr], outs: [o]}
"""
# It fails for 2; for 3 it leaves a process that is ended and named.
SCRIPT = """\
test -n "$TOKEN" && cp params.yaml o
grep -q 2 params.yaml && exit 1
grep -q 3 params.yaml && sleep 1000 &
exit 0
"""


def test_no_secret_is_kept_and_no_one_else_may_look(place: Place, exprun: Tool) -> None:
    make_project(place, PIPELINE, write("params.yaml", "lr: 0\n"), write("s.sh", SCRIPT))
    for code, command in (
        (0, "run -n here -S lr=1 -v --log-json ../events"),
        (1, "run -n bad -S lr=2 --temp"),
        (0, "run --queue -n q -S lr=2,3"),
        (1, "run --run-all -j 2"),
        (0, "show"),
        (0, "status"),
    ):
        told = exprun.run(command.split(), place=place, env={"TOKEN": SECRET})
        assert told.code == code, told
        assert SECRET not in told.stdout + told.stderr

    for path in filter(lambda path: path.is_file(), place.root.rglob("*")):
        assert SECRET.encode() not in path.read_bytes(), path
    objects = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"],
        cwd=place.repo,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert SECRET.encode() not in objects.stdout
    assert "refs/exprun/failed" in git(place, "for-each-ref")
    ours = place.repo / ".dvc/tmp/exprun"
    for path in (ours, *ours.rglob("*")):
        if path.is_file() or path == ours:
            assert path.stat().st_mode & 0o077 == 0, path
