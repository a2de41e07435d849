"""The commands as they are typed: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import exprun
from exprun.cli.main import run
from exprun.model.job import FailureClass
from exprun.queue.attempts import Orchestrator
from tests.queue.conftest import REFS, claim_next

if TYPE_CHECKING:
    from pathlib import Path

    from tests.queue.conftest import DvcProject

ROOT = os.path.dirname(os.path.dirname(exprun.__file__))
QUEUED = re.compile(r"Queued experiment '(.*)' for future execution\.")


class Cli:
    """Runs commands in this process, in a project."""

    def __init__(self, project: DvcProject, capsys: pytest.CaptureFixture[str]) -> None:
        self._project = project
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What a command prints on standard output, or on standard error if it is to fail."""
        assert run(["--cd", str(self._project.root), *arguments]) == code
        said = self._capsys.readouterr()
        return said.err if code else said.out

    def status(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self("queue", "status", "--json"))
        return rows

    def states(self) -> dict[str, str]:
        return {row["name"]: row["status"] for row in self.status()}


@pytest.fixture
def cli(
    project: DvcProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    for name, value in project.env.items():
        monkeypatch.setenv(name, value)
    return Cli(project, capsys)


def test_queueing_speaks_as_dvc_does(cli: Cli) -> None:
    assert cli("run", "--queue", "-n", "plain") == (
        "Queued experiment 'plain' for future execution.\n"
    )
    assert cli("run", "--queue", "-S", "lr=1e-4,2", "-n", "s") == (
        "Queueing with overrides '{'params.yaml': ['lr=0.0001']}'.\n"
        "Queued experiment 's-1' for future execution.\n"
        "Queueing with overrides '{'params.yaml': ['lr=2']}'.\n"
        "Queued experiment 's-2' for future execution.\n"
    )
    assert cli("run", "--queue", "-q") == ""
    assert len(cli.status()) == 4


def test_queueing_tells_of_it_where_events_were_asked_for(cli: Cli, tmp_path: Path) -> None:
    told = cli("run", "--queue", "-S", "lr=1,2", "-n", "s", "--events", "-")
    assert [
        (e["event"], e["seq"], e["experiment"]) for e in map(json.loads, told.splitlines())
    ] == [
        ("ExperimentQueued", 1, "s-1"),
        ("ExperimentQueued", 2, "s-2"),
    ]
    files = [tmp_path / "events", tmp_path / "log"]
    options = ("--events", str(files[0]), "--log-json", str(files[1]))
    assert cli("run", "--queue", "-n", "t", *options) == (
        "Queued experiment 't' for future execution.\n"
    )
    for file in files:
        [event] = map(json.loads, file.read_text().splitlines())
        assert (event["event"], event["experiment"]) == ("ExperimentQueued", "t")


@pytest.mark.parametrize("command", ["run", "repro"])
@pytest.mark.parametrize("option", ["-q", "--events=-"])
def test_a_plan_is_not_printed_where_nothing_is_to_be(cli: Cli, command: str, option: str) -> None:
    assert cli(command, "--dry", option) == ""
    cli(command, "--dry", option, "nowhere", code=2)


def test_status(cli: Cli, project: DvcProject) -> None:
    assert cli("queue", "status") == "No experiments in the queue.\n"
    assert cli.status() == []
    cli("run", "--queue", "-n", "one", "-S", "lr=7", "-S", "params.yaml:seed=2")
    [row] = cli.status()
    assert re.fullmatch("[0-9a-f]{8}", row.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", row.pop("created"))
    assert row == {
        "name": "one", "baseline": project.git("rev-parse", "HEAD"), "status": "queued",
        "reason": None, "message": None, "exit_code": None, "rev": None, "kept": None,
        "held": False,
        "overrides": ["lr=7", "seed=2"], "attempts": 0, "log_dir": None,
    }  # fmt: skip
    header, line = cli("queue", "status").splitlines()
    assert header.split() == ["id", "name", "created", "status"]
    assert re.fullmatch(r"[0-9a-f]{8}  one   \d\d:\d\d [AP]M  queued", line)


def test_status_tells_of_each_what_is_its_own(cli: Cli, project: DvcProject) -> None:
    cli("run", "--queue", "-n", "100%s", "-S", "+say='%s \"é\"'")
    cli("run", "--queue", "-n", "s", "-S", "lr=1,2,3", "-S", "seed=1")
    cli("queue", "hold", "s-1")
    queue = project.queue()
    with Orchestrator(queue) as orchestrator:
        for entry in queue.find(["s-2", "s-3"]):
            attempt = orchestrator.claim(entry.id)
            assert attempt is not None
            attempt.fail(FailureClass.STAGE_EXIT, "it's over", exit_code=1)
    queue.retry([entry.id for entry in queue.find(["s-3"])])
    assert cli.status() == [
        {
            "id": entry.id, "name": entry.name, "baseline": entry.baseline,
            "created": datetime.fromtimestamp(int(entry.created), UTC).isoformat(),
            "status": entry.state.value, "reason": entry.reason,
            "message": entry.last.message if entry.last else None,
            "exit_code": entry.last.exit_code if entry.last else None, "rev": None, "kept": None,
            "held": entry.held, "overrides": list(entry.spec.set_params),
            "attempts": len(entry.attempts),
            "log_dir": queue.log_dir(entry.last) if entry.last else None,
        }
        for entry in queue.entries()
    ]  # fmt: skip
    states = {"100%s": "queued", "s-1": "held", "s-2": "failed", "s-3": "queued"}
    assert cli.states() == states


def test_holding_releasing_and_putting_first(cli: Cli) -> None:
    cli("run", "--queue", "-n", "s", "-S", "lr=1,2,3")
    cli("queue", "hold", "s-1", "s-3")
    assert cli.states() == {"s-1": "held", "s-2": "queued", "s-3": "held"}
    cli("queue", "release", "s-3")
    cli("queue", "first", "s-3")
    assert cli.states() == {"s-3": "queued", "s-1": "held", "s-2": "queued"}
    assert list(cli.states()) == ["s-3", "s-1", "s-2"]
    assert "there is no experiment 'x' in the queue" in cli("queue", "hold", "s-2", "x", code=2)
    assert cli.states()["s-2"] == "queued"


@pytest.mark.parametrize("command", ["hold", "release", "first"])
def test_what_has_succeeded_does_not_wait(cli: Cli, command: str) -> None:
    cli("run", "--queue", "-n", "done")
    cli("run", "--run-all", "-q")
    said = cli("queue", command, "done", code=2)
    assert "experiment 'done' has succeeded: it does not wait to be run\n" in said


@pytest.mark.parametrize(
    "options",
    [
        "--run-all -S lr=2", "--run-all train", "--run-all --queue", "--run-all -n other",
        "--run-all --dry", "--run-all --dry --detach", "--run-all -f", "--run-all --pull",
        "--retry-failed", "--detach",
    ],
)  # fmt: skip
def test_options_that_would_mean_nothing_are_refused(cli: Cli, options: str) -> None:
    cli("run", "--queue", "-n", "one")
    assert "exprun run" in cli("run", *options.split(), code=2)
    assert cli.states() == {"one": "queued"}


@pytest.mark.parametrize("how", ["--dry", "--queue", "--temp", "--run-all --detach"])
def test_a_budget_that_is_none_is_refused_whether_it_is_needed_or_not(cli: Cli, how: str) -> None:
    assert "'x' is no resource" in cli("run", *how.split(), "--resources", "x", code=2)
    assert cli.states() == {}


def test_removing(cli: Cli, project: DvcProject) -> None:
    cli("run", "--queue", "-n", "s", "-S", "lr=1,2,3")
    cli("run", "--queue", "-n", "bad")
    queue = project.queue()
    with Orchestrator(queue) as orchestrator:
        [bad] = queue.find(["bad"])
        attempt = orchestrator.claim(bad.id)
        assert attempt is not None
        assert "'bad' is running" in cli("queue", "remove", "s-1", "bad", code=2)
        attempt.fail(FailureClass.STAGE_EXIT, exit_code=1)
    assert cli("queue", "remove", "s-2") == "Removed experiments from the queue: s-2\n"
    assert cli("queue", "remove", "--queued") == "Removed experiments from the queue: s-1, s-3\n"
    assert cli.states() == {"bad": "failed"}
    assert cli("queue", "remove", "--success") == "There is nothing to remove.\n"
    cli("queue", "remove", "--all")
    assert cli.states() == {}
    assert project.git("for-each-ref", REFS) == ""
    for wrong in ([], ["--all", "s-1"], ["x"]):
        cli("queue", "remove", *wrong, code=2)


def test_what_is_removed_is_not_refused_because_its_traces_cannot_be(
    cli: Cli, project: DvcProject
) -> None:
    cli("run", "--queue", "-n", "s", "-S", "lr=1,2")
    project.write(".dvc/config", "[core\n")
    assert cli("queue", "remove", "s-1") == "Removed experiments from the queue: s-1\n"
    assert cli.states() == {"s-2": "queued"}
    project.write(".dvc/config", "")
    cli("queue", "remove", "s-2")
    assert project.git("for-each-ref", REFS) == ""


def test_logs(cli: Cli, project: DvcProject) -> None:
    cli("run", "--queue", "-n", "one")
    assert "has not run yet" in cli("queue", "logs", "one", code=2)
    queue = project.queue()
    with Orchestrator(queue) as orchestrator:
        attempt = claim_next(queue, orchestrator)
        assert attempt is not None
        os.makedirs(attempt.log_dir)
        with open(os.path.join(attempt.log_dir, "train.log"), "wb") as log:
            log.write(b"\xff 50%\r100%")
        attempt.fail(FailureClass.TIMEOUT)
    shown = subprocess.run(
        [sys.executable, "-m", "exprun", "queue", "logs", "one"], cwd=project.root,
        env=project.env | {"PYTHONPATH": ROOT}, capture_output=True, timeout=30,
    )  # fmt: skip
    assert shown.stdout == b"==> train <==\n\xff 50%\r100%"


def start(project: DvcProject, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "exprun", *arguments], cwd=project.root, text=True,
        env=project.env | {"PYTHONPATH": ROOT}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_following_ends_when_the_attempt_does(cli: Cli, project: DvcProject) -> None:
    cli("run", "--queue", "-n", "one")
    queue = project.queue()
    with Orchestrator(queue) as orchestrator:
        attempt = claim_next(queue, orchestrator)
        assert attempt is not None
        os.makedirs(attempt.log_dir)
        with open(os.path.join(attempt.log_dir, "train.log"), "w", buffering=1) as log:
            log.write("first\n")
            with start(project, "queue", "logs", "one", "-f") as follower:
                assert follower.stdout is not None
                lines = follower.stdout
                assert [lines.readline(), lines.readline()] == ["==> train <==\n", "first\n"]
                log.write("second\n")
                assert lines.readline() == "second\n"
                attempt.succeed("1" * 40)
                assert follower.wait(timeout=30) == 0
                assert lines.read() == ""


# Claims an experiment, writes to its log, and waits.
CLAIMER = """
import os, sys
from exprun.queue.attempts import Orchestrator
from exprun.queue.queue import Queue
queue = Queue(sys.argv[1])
[entry] = queue.unfinished()
attempt = Orchestrator(queue).claim(entry.id)
os.makedirs(attempt.log_dir)
open(os.path.join(attempt.log_dir, "train.log"), "w").write("first\\n")
print(flush=True)
input()
"""


def test_following_ends_when_the_orchestrator_is_killed(cli: Cli, project: DvcProject) -> None:
    cli("run", "--queue", "-n", "one")
    with subprocess.Popen(
        [sys.executable, "-c", CLAIMER, project.queue().directory],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": ROOT},
    ) as orchestrator:  # fmt: skip
        assert orchestrator.stdout is not None
        orchestrator.stdout.readline()
        with start(project, "queue", "logs", "one", "-f") as follower:
            assert follower.stdout is not None
            assert follower.stdout.readline() == "==> train <==\n"
            orchestrator.kill()
            assert follower.stdout.read() == "first\n"
            assert follower.wait(timeout=30) == 0


def test_what_a_killed_orchestrator_ran_shows_as_interrupted(cli: Cli, project: DvcProject) -> None:
    cli("run", "--queue", "-n", "one")
    code = (
        "import sys\n"
        "from exprun.queue.attempts import Orchestrator\n"
        "from exprun.queue.queue import Queue\n"
        "q = Queue(sys.argv[1]); "
        "o = Orchestrator(q); o.claim(q.unfinished()[0].id); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, project.queue().directory],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": ROOT},
    ) as orchestrator:  # fmt: skip
        assert orchestrator.stdout is not None
        orchestrator.stdout.readline()
        assert cli.states() == {"one": "running"}
        orchestrator.kill()
    [row] = cli.status()
    assert (row["status"], row["reason"]) == ("interrupted", "interrupted")


@pytest.mark.parametrize("lines", [1, 2, 40, 79])
def test_killed_while_it_speaks_just_what_was_told_is_queued(
    cli: Cli, project: DvcProject, lines: int
) -> None:
    before = project.git("for-each-ref"), project.git("status", "--porcelain")
    with start(project, "run", "--queue", "-S", "seed=range(0,40)", "-n", "s") as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    names = [match[1] for line in told if (match := QUEUED.fullmatch(line.strip()))]
    queued = [row["name"] for row in cli.status()]
    assert queued[: len(names)] == names
    assert len(queued) <= len(names) + 1
    for entry in project.queue().entries():
        project.git("cat-file", "-e", f"{entry.commit}^{{tree}}")
    cli("run", "--queue", "-n", "after")
    project.git("gc", "--quiet", "--prune=now")
    for entry in project.queue().entries():
        project.git("cat-file", "-e", f"{entry.commit}:params.yaml")
    cli("queue", "remove", "--all")
    assert (project.git("for-each-ref"), project.git("status", "--porcelain")) == before
    assert not list((project.root / ".git/objects/pack").glob("*.keep"))


def test_two_commands_at_once_queue_all_of_both(cli: Cli, project: DvcProject) -> None:
    with (
        start(project, "run", "--queue", "-S", "seed=range(0,30)") as one,
        start(project, "run", "--queue", "-S", "lr=range(0,30)") as two,
    ):
        said = [process.communicate(timeout=60)[0] for process in (one, two)]
        assert (one.returncode, two.returncode) == (0, 0)
    told = [name for text in said for name in QUEUED.findall(text)]
    assert len(set(told)) == 60
    assert sorted(told) == sorted(cli.states())


def test_it_waits_for_whoever_holds_the_project(cli: Cli, project: DvcProject) -> None:
    from exprun.project.locks import RepoLock

    with RepoLock(str(project.root / ".dvc/tmp")).held():
        process = start(project, "run", "--queue", "-n", "patient")
        assert process.stderr is not None
        assert "waiting for another process" in process.stderr.readline()
        assert cli.states() == {}
    with process:
        assert process.wait(timeout=30) == 0
    assert cli.states() == {"patient": "queued"}


def test_help_is_there_in_either_order(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no option '-q' before the command" in cli("-q", "run", code=2)
    told = []
    for words in (["help", "queue", "hold"], ["queue", "hold", "--help"]):
        with pytest.raises(SystemExit) as ended:
            run(words)
        assert ended.value.code == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert "Keep experiments from being started." in told[0]
