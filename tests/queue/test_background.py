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


def test_it_is_stopped_as_soon_as_it_is_started(
    cli: Cli, project: DvcProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", ROOT)
    project.write("dvc.yaml", "stages:\n  s:\n    cmd: sleep 1\n    params: [lr]\n")
    cli("run", "--queue", "-S", "lr=1,2,3,4", "-n", "s")
    told = PID.search(cli("queue", "start"))
    assert "No more" in cli("queue", "stop")
    assert told is not None
    _, status = os.waitpid(int(told[1]), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert "queued" in cli.states().values()


def test_what_keeps_it_from_running_is_told(
    cli: Cli, project: DvcProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", ROOT)
    log = project.root / ".dvc/tmp/exprun/queue/background.log"
    log.parent.mkdir(parents=True)
    log.write_text("of an earlier one\n")
    project.write("exprun.toml", "[resources]\ncpus = 'many'\n")
    said = cli("run", "--run-all", "--detach", code=2)
    assert "exprun.toml: [resources] cpus" in said and "of an earlier one" not in said
    os.wait()


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
