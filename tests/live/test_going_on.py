"""A run of the queue goes on, whatever happens to the queue for a while."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.missing import missing

if TYPE_CHECKING:
    from tests.live.conftest import Project


@pytest.mark.parametrize("options", ["--run-all", "-S x=1 --temp"])
def test_a_queue_that_cannot_be_read_for_a_while_stops_nothing(
    project: Project, options: str
) -> None:
    """As for want of descriptors, while a stage runs."""
    journal = project.place.repo / ".dvc/tmp/exprun/queue/journal.jsonl"
    project.setup(
        f"""\
        mv {journal} {journal}.aside && ln -s {journal} {journal}
        sleep 1.3
        mv {journal}.aside {journal}
        echo $1 > m.json && echo $1 > out.txt
        """
    )
    project.run("run", "--queue", "-S", "x=1")
    done = project.run("run", *options.split())
    assert done.code == 0, done.stderr
    assert all(row["status"] in {"queued", "success"} for row in project.queue().values())


def test_a_workspace_that_somebody_removes_fails_one_experiment(project: Project) -> None:
    slots = project.place.repo / ".dvc/tmp/exps/exprun"
    project.setup(f"test $1 != 1 || rm -r {slots}\necho $1 > m.json; echo $1 > out.txt\n")
    done = project.run("run", "-S", "x=1,2,3")
    states = {x: row["status"] for x, row in project.queue().items()}
    assert states == {"1": "failed", "2": "success", "3": "success"}, done.stderr
    assert list(slots.iterdir()) == []


def test_what_cannot_be_deleted_is_in_nobody_s_way(project: Project) -> None:
    """As what containers leave that run as root; here, a file system of its own."""
    trial = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    if os.geteuid() or trial.returncode:
        missing("the right to mount a file system")
    project.setup(
        """\
        echo $1 > m.json; echo $1 > out.txt
        case $1 in 1|2)
            mkdir big && mount -t tmpfs none big && touch big/file || exit 3
        esac
        test $1 != 2
        """
    )
    slots = project.place.repo / ".dvc/tmp/exps/exprun"
    try:
        for options in "-S x=1,2,3", "--temp -S x=4":
            done = project.run("run", *options.split())
            stuck = list(slots.glob("*/stuck-*"))
            assert len(stuck) == done.stderr.count("cannot be removed") == 2, done.stderr
            assert not list(slots.glob("*/root")) + list(slots.glob("*/stuck-*/*/file"))
    finally:
        for mounted in slots.rglob("big"):
            subprocess.run(["umount", mounted], check=True)
    assert done.code == 0, done.stderr
    states = {x: row["status"] for x, row in project.queue().items()}
    assert states == {"1": "success", "2": "failed", "3": "success"}
