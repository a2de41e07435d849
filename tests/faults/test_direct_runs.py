"""An experiment that is run directly is in the queue until it has succeeded, whatever happens."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.program import Gate, Program, experiments, git, git_state, make_project, run
from tests.support.project import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.environment import Place

EVERYWHERE = pytest.mark.parametrize("where", [[], ["--temp"]], ids=["workspace", "temp"])
# What somebody stops before his eyes is not to start again by itself.
STOPPED = pytest.mark.parametrize(
    ("where", "state"), [([], "held"), (["--temp"], "interrupted")], ids=["workspace", "temp"]
)


@pytest.fixture
def gate(place: Place) -> Iterator[Gate]:
    """A project whose stage tells that it runs, and ends only once there is a file `go`."""
    root = place.root
    os.mkfifo(root / "never")
    script = (
        f"echo >> {root}/ran\n"
        f"test -e {root}/go || {{ echo > {root}/gate; cat {root}/never; }}\n"
        "cat params.yaml code > o\n"
    )
    pipeline = "stages:\n  s: {cmd: sh s.sh, deps: [code], params: [lr], outs: [o]}\n"
    make_project(
        place,
        pipeline,
        write("s.sh", script),
        write("params.yaml", "lr: 1\n"),
        write("code", "a\n"),
    )
    with Gate(root / "gate") as gate:
        yield gate


def rows(place: Place) -> list[tuple[str, str]]:
    """The names and states of what is in the queue."""
    shown = json.loads(run(place, "queue", "status", "--json").stdout)
    return [(row["name"], row["status"]) for row in shown]


def shown(place: Place) -> list[tuple[str, str]]:
    """The names and states of the experiments in the table."""
    [*_, baseline] = json.loads(run(place, "show", "--json").stdout)
    found: list[Any] = baseline["experiments"] or []
    return [(each["name"], (each["executor"] or {"state": "success"})["state"]) for each in found]


def start_and_kill(place: Place, gate: Gate, *args: str) -> None:
    with Program(place, "run", *args) as program:
        gate.passed()
        program.send(signal.SIGKILL)
        program.end()


@EVERYWHERE
def test_what_was_killed_is_interrupted_and_run_again(
    place: Place, gate: Gate, where: list[str]
) -> None:
    before = git_state(place)
    (place.repo / "code").write_text("edited\n")
    with Program(place, "run", "-n", "e", "-S", "lr=2", *where) as program:
        gate.passed()
        assert rows(place) == shown(place) == [("e", "running")]
        program.send(signal.SIGKILL)
        program.end()

    assert rows(place) == shown(place) == [("e", "interrupted")]
    (place.repo / "params.yaml").write_text("lr: 9\n")
    (place.root / "go").touch()
    again = run(place, "run", "--run-all")

    assert again.code == 0, again
    assert experiments(place) == ["e"]
    assert rows(place) == [("e", "success")]
    [ref] = git(place, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    assert git(place, "show", f"{ref}:params.yaml") == "lr: 2\n"
    assert git(place, "show", f"{ref}:code") == "edited\n"
    assert (place.repo / "params.yaml").read_text() == "lr: 9\n"
    assert git_state(place) == before


@EVERYWHERE
def test_what_was_killed_can_be_run_again_by_the_same_command(
    place: Place, gate: Gate, where: list[str]
) -> None:
    start_and_kill(place, gate, "-n", "e", "-S", "lr=2", *where)
    (place.root / "go").touch()

    again = run(place, "run", "-n", "e", "-S", "lr=2", *where)

    assert again.code == 0, again
    assert rows(place) == []
    assert shown(place) == [("e", "success")]
    assert git(place, "for-each-ref", "refs/exprun") == ""


@EVERYWHERE
def test_success_leaves_nothing_in_the_queue(place: Place, gate: Gate, where: list[str]) -> None:
    (place.root / "go").touch()

    assert run(place, "run", "-n", "e", "-S", "lr=2", *where).code == 0

    assert rows(place) == []
    assert git(place, "for-each-ref", "refs/exprun") == ""
    assert os.listdir(place.repo / ".dvc/tmp/exprun/queue/alive") == []


@EVERYWHERE
def test_what_was_stored_but_not_told_is_not_run_again(
    place: Place, gate: Gate, where: list[str]
) -> None:
    (place.root / "go").touch()
    assert run(place, "run", "-n", "e", *where).code == 0
    # As if it had been killed between the two.
    journal = place.repo / ".dvc/tmp/exprun/queue/journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert b'"remove"' in lines[-1]
    journal.write_bytes(b"".join(lines[:-1]))
    assert rows(place) == [("e", "interrupted")]

    again = run(place, "run", "--run-all")

    assert again.code == 0, again
    assert rows(place) == [("e", "success")]
    assert (place.root / "ran").read_text() == "\n"


@STOPPED
def test_it_can_be_stopped_like_one_of_the_queue(
    place: Place, gate: Gate, where: list[str], state: str
) -> None:
    with Program(place, "run", "-n", "e", *where) as program:
        gate.passed()
        assert run(place, "queue", "kill", "e").code == 0
        ended = program.end()

    assert ended.code == 1, ended
    assert "interrupted" in ended.stderr
    assert rows(place) == [("e", state)]


@STOPPED
def test_it_is_stopped_at_once_and_recorded(
    place: Place, gate: Gate, where: list[str], state: str
) -> None:
    with Program(place, "run", "-n", "e", *where) as program:
        gate.passed()
        program.send(signal.SIGQUIT)
        program.end()

    assert rows(place) == [("e", state)]


@EVERYWHERE
def test_a_name_that_the_queue_knows_is_refused(place: Place, gate: Gate, where: list[str]) -> None:
    assert run(place, "run", "--queue", "-n", "e", "-S", "lr=2").code == 0
    (place.root / "go").touch()

    refused = run(place, "run", "-n", "e", "-S", "lr=3", *where)

    assert refused.code == 2, refused
    assert "'e' exists already, in the queue" in refused.stderr
    assert (place.repo / "params.yaml").read_text() == "lr: 1\n"
    assert rows(place) == [("e", "queued")]
    assert run(place, "run", "-f", "-n", "e", "-S", "lr=3", *where).code == 0
    assert rows(place) == []


@EVERYWHERE
def test_two_runs_of_one_name_do_not_run_at_once(
    place: Place, gate: Gate, where: list[str]
) -> None:
    with Program(place, "run", "--temp", "-n", "e", "-S", "lr=2") as program:
        gate.passed()
        refused = run(place, "run", "-n", "e", "-S", "lr=3", *where)
        queued = run(place, "run", "--queue", "-n", "e", "-S", "lr=3")
        program.send(signal.SIGINT)
        program.end()

    assert (refused.code, queued.code) == (2, 2), (refused, queued)
    assert (place.repo / "params.yaml").read_text() == "lr: 1\n"


def test_run_all_takes_over_what_was_killed_meanwhile(place: Place, gate: Gate) -> None:
    assert run(place, "run", "--queue", "-n", "q", "-S", "lr=5").code == 0
    # Who reads from it waits until we close it.
    never = os.open(place.root / "never", os.O_RDWR)
    with (
        Program(place, "run", "--temp", "-n", "e", "-S", "lr=2") as direct,
        Program(place, "run", "--run-all", "-j", "2") as program,
    ):
        gate.passed()
        gate.passed()
        (place.root / "go").touch()
        direct.send(signal.SIGKILL)
        direct.end()
        assert program.process.stdout is not None
        for line in program.process.stdout:
            if line == b"Ran experiment 'e'\n":
                break
        os.close(never)
        ended = program.end()

    assert ended.code == 0, ended
    assert sorted(experiments(place)) == ["e", "q"]


def test_what_is_run_again_elsewhere_keeps_its_outputs(place: Place, gate: Gate) -> None:
    """With `--no-commit` they would be in a workspace that is gone."""
    start_and_kill(place, gate, "-n", "e", "-S", "lr=2", "--no-commit")
    (place.root / "go").touch()
    run(place, "run", "--run-all")
    (place.repo / "o").unlink(missing_ok=True)

    run(place, "apply", "e")

    assert (place.repo / "o").read_text() == "lr: 2\na\n"


def test_what_is_committed_meanwhile_stays_committed(place: Place, gate: Gate) -> None:
    with Program(place, "run", "-n", "e", "-S", "lr=2") as program:
        assert gate.passed() == ""
        (place.repo / "code").write_text("b\n")
        git(place, "commit", "--quiet", "-m", "meanwhile", "code")
        (place.repo / "code").write_text("a\n")
        after = git_state(place)
        (place.root / "go").touch()
        (place.root / "never").write_text("")
        assert program.end().code == 0
    assert git_state(place) == after
    assert experiments(place) == ["e"]
