"""SIGKILL before each single step that writes something, one after the other."""

from __future__ import annotations

import os
import signal
import warnings
from typing import TYPE_CHECKING

from exprun.model.experiment import ExperimentSpec
from exprun.runner.queueing import queue_experiments
from exprun.runner.queues import tidy_queue
from tests.queue.conftest import REFS
from tests.support.dying import die_at

if TYPE_CHECKING:
    from tests.queue.conftest import DvcProject

MOST_STEPS = 200


def test_killed_before_any_step_just_what_was_told_is_queued(project: DvcProject) -> None:
    project.write("code.py", "two\n")
    project.write("secret.env", "TOKEN=1\n")
    user = project.git("show-ref", "--heads"), project.git("status", "--porcelain")
    known: list[str] = []
    for step in range(1, MOST_STEPS):
        told, is_done = queue_and_die(project, step)
        queued = [entry.name for entry in project.queue().entries()]
        new = queued[len(known) :]
        assert queued[: len(known)] == known
        assert new[: len(told)] == told
        assert len(new) <= len(told) + (not is_done)
        known = queued
        if is_done:
            break
    assert step > 10
    assert len(new) == 3

    tidy_queue(project.opened())
    project.git("gc", "--quiet", "--prune=now")
    entries = project.queue().entries()
    assert [entry.name for entry in entries] == known
    for entry in entries:
        project.git("cat-file", "-e", f"{entry.commit}:params.yaml")
        assert os.path.exists(f"{project.queue().copies_dir(entry.batch)}/secret.env")
    batches = {entry.batch for entry in entries}
    assert set(os.listdir(f"{project.queue().directory}/copies")) == batches
    refs = project.git("for-each-ref", "--format=%(refname)", REFS).split()
    assert set(refs) == {REFS + batch for batch in batches}
    assert project.git("fsck", "--full", "--strict", "--no-dangling") == ""
    assert not list((project.root / ".git/objects/pack").glob("*.keep"))
    assert (project.git("show-ref", "--heads"), project.git("status", "--porcelain")) == user


def queue_and_die(project: DvcProject, step: int) -> tuple[list[str], bool]:
    """Queue a sweep in a child that is killed before its `step`-th step; what it told till then,
    and whether it came to its end."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            tell = os.write
            die_at(step)
            spec = ExperimentSpec(set_params=("lr=1,2,3",), copy_paths=("secret.env",))
            for queued in queue_experiments(project.opened(), spec):
                tell(write, f"{queued.entry.name}\n".encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write)
    with open(read) as told:
        names = told.read().split()
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), "the child has failed by itself"
    return names, status == 0
