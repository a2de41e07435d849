"""The queue run in the background: started, watched, stopped."""

from __future__ import annotations

import os
import re
import select
from typing import TYPE_CHECKING

import pytest

from tests.queue.test_commands import ROOT, Cli, cli

if TYPE_CHECKING:
    from tests.queue.conftest import DvcProject

__all__ = ["cli"]

PID = re.compile(r"\(pid (\d+)\)")


COMMANDS = {
    "queue start": ("queue", "start", "-j", "2"),
    "detach": ("run", "--run-all", "-j", "2", "--grace", "5", "--detach"),
}
STOPPING: dict[str, list[tuple[str, ...]]] = {
    "queue start": [("queue", "stop"), ("queue", "kill", "long")],
    "detach": [("queue", "stop", "--kill")],
}


@pytest.mark.parametrize("how", COMMANDS)
def test_started_killed_and_stopped(
    cli: Cli, project: DvcProject, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", ROOT)
    started = project.root.parent / "started"
    os.mkfifo(started)
    project.write(
        "dvc.yaml",
        f"stages:\n  s:\n    cmd: echo yes > {started}; sleep 1000\n"
        "    params: [lr]\n    outs: [out.txt]\n",
    )
    project.commit_all()
    cli("run", "--queue", "-n", "long")
    assert "Nothing runs" in cli("queue", "stop")

    told = PID.search(cli(*COMMANDS[how]))
    assert told is not None
    background = os.pidfd_open(int(told[1]))
    try:
        with open(started) as fifo:
            assert fifo.read() == "yes\n"
        assert cli.states() == {"long": "running"}
        *before, last = STOPPING[how]
        for stopping in before:
            assert "No more" in cli(*stopping)
        assert cli(*last) == "Stopping: long\n"
        ended, _, _ = select.select([background], [], [], 60)
        assert ended, "it goes on"
    finally:
        os.close(background)
    assert cli.states() == {"long": "interrupted"}
    assert "not running: long" in cli("queue", "kill", "long", code=2)


def test_only_the_queue_is_detached(cli: Cli) -> None:
    assert "exprun run --run-all --detach" in cli("run", "--detach", code=2)
    assert cli.states() == {}


def test_modules_of_the_project_are_not_taken_for_those_of_exprun(
    cli: Cli, project: DvcProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", ROOT)
    project.write("anyio.py", "raise SystemExit('not this one')\n")
    cli("run", "--queue", "-n", "one")
    told = PID.search(cli("queue", "start"))
    assert told is not None
    _, status = os.waitpid(int(told[1]), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert cli.states() == {"one": "success"}


def test_quietly(cli: Cli, project: DvcProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ROOT)
    assert cli("run", "--run-all", "--detach", "-q") == ""
    os.wait()
