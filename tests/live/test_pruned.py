"""Git prunes what no ref holds, and an experiment has its ref last."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.live.conftest import Project

SCRIPT = """\
echo > ${AT}/started
read line < ${AT}/go
echo $1 > m.json && echo $1 > out.txt
"""
WAIT_S = 30.0


def _commits(project: Project) -> int:
    found = project.git("cat-file", "--batch-all-objects", "--batch-check")
    return sum(" commit " in line for line in found.splitlines())


def test_an_experiment_that_is_pruned_before_it_has_a_ref_is_stored_again(
    project: Project,
) -> None:
    project.setup(SCRIPT.replace("${AT}", str(project.place.root)))
    started, go = (project.place.root / name for name in ("started", "go"))
    os.mkfifo(started)
    os.mkfifo(go)
    process = project.start("run", "--temp", "-S", "x=1", "-n", "one")
    started.read_text()
    before = _commits(project)
    give_up = time.monotonic() + WAIT_S
    # The queue is told of the commit before there is a ref.
    with (project.place.repo / ".dvc/tmp/exprun/queue/journal.jsonl.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        go.write_text("\n")
        while _commits(project) == before:
            assert time.monotonic() < give_up
        project.git("gc", "--quiet", "--prune=now")
        assert _commits(project) == before
    assert process.wait(WAIT_S) == 0
    [ref] = project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    assert project.git("show", f"{ref}:params.yaml") == "x: 1\n"
    assert project.git("fsck", "--strict", "--no-dangling") == ""
