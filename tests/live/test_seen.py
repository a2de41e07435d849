"""What is not finished is seen: by DVC while it runs, by exprun in whatever state it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.conftest import STAGE

if TYPE_CHECKING:
    from tests.live.conftest import Project
    from tests.support.tools import Tool

GATED = "echo $1 > m.json; echo open; read line < FIFO; echo $1 > out.txt\n"


def gated(project: Project) -> None:
    """A stage that has written metrics, and waits to be let go by `open_gate`."""
    os.mkfifo(project.place.root / "fifo")
    project.setup(GATED.replace("FIFO", str(project.place.root / "fifo")))


def open_gate(project: Project, times: int = 1) -> None:
    for _ in range(times):
        (project.place.root / "fifo").write_text("go\n")


def start(project: Project, dvc: Tool, *args: str, stages: int = 1) -> subprocess.Popen[bytes]:
    """A run whose `stages` stages all wait at the gate, each in an experiment that DVC sees."""
    process = project.start(*args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    waiting = 0
    while waiting < stages:
        line = process.stdout.readline()
        assert line, "it has ended"
        waiting += line.rstrip().endswith((b"| open", b"open")) and b">" not in line
    deadline = time.monotonic() + 30
    while len(ranges(project, dvc)) < stages:
        assert time.monotonic() < deadline, "they are not told"
    return process


def ranges(project: Project, tool: Tool) -> list[dict[str, Any]]:
    """The experiments of HEAD as ``show --json`` has them, in an order of their own."""
    command = ("exp", "show", "--json") if tool.name == "dvc" else ("show", "--json")
    done = tool.run(command, place=project.place)
    assert done.code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)[-1]["experiments"] or []
    return sorted(found, key=lambda range: range["revs"][0]["name"])


@pytest.mark.parametrize("options", [(), ("--temp",)], ids=["workspace", "temp"])
def test_dvc_sees_what_runs_until_it_has_ended(
    project: Project, dvc: Tool, options: tuple[str, ...]
) -> None:
    gated(project)
    process = start(project, dvc, "run", "-n", "slow", "-S", "x=5", *options)

    [theirs] = ranges(project, dvc)
    [ours] = ranges(project, project.tool)

    assert theirs["executor"]["state"] == "running"
    assert theirs["executor"]["local"]["pid"] == process.pid
    [state] = theirs["revs"]
    assert state["name"] == "slow"
    assert state["data"]["params"] == {"params.yaml": {"data": {"x": 5}}}
    assert state["data"]["metrics"] == {"m.json": {"data": 5}}
    for range in (ours, theirs):
        # DVC tells neither the name of one in a directory of its own nor the log of the other.
        del range["name"], range["executor"]["local"]["log"]
    assert ours == theirs

    open_gate(project)
    assert process.communicate(timeout=60) and process.returncode == 0
    [range] = ranges(project, dvc)
    assert range["executor"] is None
    assert ranges(project, project.tool) == [range]
    exps = project.place.repo / ".dvc/tmp/exps"
    assert not list(exps.rglob("*.run"))


def test_dvc_sees_all_that_run_and_the_next_command_forgets_the_dead(
    project: Project, dvc: Tool
) -> None:
    gated(project)
    project.run("run", "--queue", "-n", "q", "-S", "x=1,2,3")
    project.run("queue", "hold", "q-3")
    process = start(project, dvc, "run", "--run-all", "-j", "2", stages=2)

    running = ranges(project, dvc)
    assert {each["executor"]["state"] for each in running} == {"running"}
    assert len(running) == 2
    shown = ranges(project, project.tool)
    assert sorted(each["executor"]["state"] for each in shown) == ["queued", "running", "running"]
    [waiting] = (each for each in shown if each["executor"]["state"] == "queued")
    assert waiting["revs"][0]["data"]["metrics"] == {}

    process.send_signal(signal.SIGKILL)
    assert process.wait(60)
    assert process.stdout is not None
    process.stdout.close()
    # As if it had been killed a moment before it told of another.
    run = project.place.repo / ".dvc/tmp/exps/standalone/run"
    [one, _] = run.iterdir()
    one.rename(run.parent / f".{one.name}")
    states = {each["name"]: each["executor"]["state"] for each in ranges(project, project.tool)}
    assert sorted(states.values()) == ["interrupted", "interrupted", "queued"]
    assert [path.name for path in run.parent.iterdir()] == ["run"]
    assert ranges(project, dvc) == []
    # The stages that the dead one has left.
    assert project.run("queue", "remove", "--all").code == 0
    assert project.run("run", "--run-all").code == 0


def test_show_and_list_tell_the_state_and_the_reason(project: Project) -> None:
    project.setup("echo $1 > m.json; test $1 != 2 || exit 9; echo $1 > out.txt\n")
    project.run("run", "-S", "x=1,2", "-n", "e")
    project.run("run", "--queue", "-S", "x=3", "-n", "later")

    [first, second, later] = ranges(project, project.tool)

    assert first["executor"] is None
    assert second["executor"]["state"] == "failed"
    assert second["executor"]["local"]["returncode"] == 9
    assert second["revs"][0]["error"]["type"] == "stage-exit"
    assert second["revs"][0]["data"]["metrics"] == {"m.json": {"data": 2}}
    assert later["executor"]["state"] == "queued"
    assert later["revs"][0]["data"]["params"] == {"params.yaml": {"data": {"x": 3}}}

    listed = project.run("list").stdout
    assert " [e-2] failed (stage-exit)\n" in listed
    assert " [later] queued\n" in listed
    assert project.run("list", "--name-only").stdout == "e-1\n"
    table = project.run("show").stdout
    assert "Failed (stage-exit)" in table
    hidden = project.run("show", "--hide-queued", "--hide-failed").stdout
    assert "e-2" not in hidden and "later" not in hidden


def test_what_git_does_not_track_is_named_before_a_run_elsewhere(project: Project) -> None:
    project.setup("cat data.csv sub/deep/extra.csv > out.txt; echo $1 > m.json\n")
    project.write(
        "dvc.yaml",
        STAGE.replace("META", "{}").replace(
            "deps: [train.sh]", "deps: [train.sh, data.csv, sub/deep/extra.csv]"
        ),
    )
    project.git("commit", "-qam", "deps")
    (project.place.repo / "sub" / "deep").mkdir(parents=True)
    project.write("data.csv", "1\n")
    project.write("sub/deep/extra.csv", "2\n")

    done = project.run("run", "--queue", "-S", "x=1,2")
    assert done.code == 0
    assert done.stderr.count("WARNING") == 1
    assert "data.csv, sub (to bring it along: -C data.csv -C sub)" in done.stderr
    temp = project.run("run", "--temp", "-C", "data.csv")
    assert "-C sub)" in temp.stderr and temp.code == 1
    brought = project.run("run", "--temp", "-C", "data.csv", "-C", "sub", "-n", "whole")
    assert (brought.code, brought.stderr) == (0, "")
    # In the workspace it is there, and needs no word.
    assert project.run("run").stderr == ""


def test_what_is_behind_links_and_in_submodules_is_not_called_untracked(project: Project) -> None:
    project.setup("cat link/a far/a mod/f > out.txt; echo $1 > m.json\n")
    read = "[train.sh, link/a, up/link/a, far/a, mod/f, link/b]"
    project.write("dvc.yaml", STAGE.replace("META", "{}").replace("[train.sh]", read, 1))
    repo, outside = project.place.repo, project.place.outside
    project.write("real/a", "1\n")
    (repo / "up").mkdir()
    for link, target in (("link", "real"), ("up/link", "../link"), ("far", str(outside / "far"))):
        (repo / link).symlink_to(target)
    (outside / "far").mkdir()
    (outside / "far" / "a").write_text("far\n")
    (outside / "mod").mkdir()
    (outside / "mod" / "f").write_text("f\n")
    mod = ("-C", str(outside / "mod"))
    project.git(*mod, "init", "-q")
    project.git(*mod, "add", "f")
    project.git(*mod, "commit", "-qm", "mod")
    project.git("submodule", "--quiet", "add", str(outside / "mod"), "mod")
    project.git("add", "-A")
    project.git("commit", "-qm", "links")
    project.write("real/b", "not tracked\n")

    done = project.run("run", "--temp")
    assert "will not have it: real/b (to bring it along: -C real/b)\n" in done.stderr
    brought = project.run("run", "--temp", "-C", "real/b", "-n", "whole")
    assert (brought.code, brought.stderr) == (0, "")


def test_a_directory_of_empty_files_is_not_called_empty(project: Project) -> None:
    project.setup("echo $1 | tee out.txt > m.json\n")
    text = STAGE.replace("META", "{}").replace("[train.sh]", "[train.sh, marks, nothing]", 1)
    project.write("dvc.yaml", text)
    project.write("marks/__init__.py", "")
    project.write("nothing", "")

    done = project.run("repro")
    assert done.code == 0
    assert set(done.stderr.splitlines()) == {"WARNING: 'nothing' is empty."}


def test_a_pipeline_that_git_does_not_track_is_named_too(project: Project) -> None:
    project.setup("echo $1 | tee out.txt > m.json\n")
    project.git("rm", "-q", "--cached", "dvc.yaml")
    project.git("commit", "-qm", "forgotten")

    done = project.run("run", "--temp")
    assert done.code == 2
    assert "dvc.yaml (to bring it along: -C dvc.yaml)" in done.stderr
    brought = project.run("run", "--temp", "-C", "dvc.yaml")
    assert (brought.code, brought.stderr) == (0, "")


def test_the_logs_of_a_finished_run_are_found_by_its_name(project: Project) -> None:
    project.setup("echo it says $1; echo $1 > out.txt; echo $1 > m.json\n")
    assert project.run("run", "-n", "good", "-S", "x=4").code == 0
    assert project.run("logs", "good").stdout == "==> train <==\nit says 4\n"
    assert project.run("queue", "status", "-q").stdout == ""


def test_experiments_in_the_workspace_run_one_after_the_other(project: Project, dvc: Tool) -> None:
    gated(project)
    first = start(project, dvc, "run", "-n", "a", "-S", "x=1")
    second = project.start("run", "-n", "b", "-S", "x=2", stderr=subprocess.PIPE)
    assert first.stdout is not None and second.stderr is not None
    with first.stdout, second.stderr:
        assert b"waiting for the experiment that runs in the workspace" in second.stderr.readline()
        open_gate(project)
        first.stdout.read()
        open_gate(project)
        second.stderr.read()
    assert (first.wait(30), second.wait(30)) == (0, 0)
    commits = project.git("for-each-ref", "refs/exps", "--format=%(objectname)").split()
    assert [project.git("show", f"{commit}:params.yaml") for commit in commits] == [
        "x: 1\n",
        "x: 2\n",
    ]


def test_who_waits_for_the_workspace_can_be_stopped(project: Project, dvc: Tool) -> None:
    gated(project)
    first = start(project, dvc, "run", "-n", "a", "-S", "x=1")
    second = project.start("run", "-n", "b", "-S", "x=2", stderr=subprocess.PIPE)
    assert first.stdout is not None and second.stderr is not None
    with first.stdout, second.stderr:
        second.stderr.readline()
        second.send_signal(signal.SIGINT)
        assert second.stderr.read() == b"WARNING: interrupted before a stage ran\n"
        assert second.wait(30) == 130
        open_gate(project)
        first.stdout.read()
    assert first.wait(30) == 0
    assert (project.place.repo / "params.yaml").read_text() == "x: 1\n"
