"""How each stage ended is on record beside its log, whatever it printed and left behind."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.program import Gate, Program, is_alive, make_project, run
from tests.support.project import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.tools import Tool

ENDS = """\
stages:
  good: {cmd: "printf 'half\\\\r100%%\\\\377' && echo > good", outs: [good]}
  exits: {cmd: exit 3, outs: [a]}
  dies: {cmd: kill -9 $$, outs: [b]}
  lasts: {cmd: cat ../never, outs: [c], meta: {exprun: {timeout: 0.1}}}
  forgets: {cmd: 'true', outs: [d]}
"""


def _records(place: Place) -> dict[str, dict[str, Any]]:
    files = (place.repo / ".dvc/tmp/exprun").rglob("ended.jsonl")
    records = [json.loads(line) for path in files for line in path.read_bytes().splitlines()]
    return {record["stage"]: record for record in records}


def test_the_class_of_each_end_is_told(place: Place, exprun: Tool) -> None:
    make_project(place, ENDS)
    os.mkfifo(place.root / "never")

    ended = exprun.run(("repro", "-k", "-j", "3", "--grace", "0.1"), place=place)

    assert ended.code == 1, ended
    records = _records(place)
    assert {name: record["failure"] for name, record in records.items()} == {
        "good": None,
        "exits": "stage-exit",
        "dies": "signal",
        "lasts": "timeout",
        "forgets": "missing-output",
    }
    assert records["exits"]["exit_code"] == 3
    assert records["dies"]["signal"] == "SIGKILL"
    [log] = (place.repo / ".dvc/tmp/exprun/logs").rglob("good.log")
    assert log.read_bytes() == b"half\r100%\xff"


def test_what_was_interrupted_is_told(place: Place) -> None:
    # It dies of the signal wherever it is: a shell about to fork, or Python, can miss it.
    script = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "open('../gate', 'w').write('here\\n')\n"
        "signal.pause()\n"
    )
    make_project(
        place,
        f"stages:\n  s: {{cmd: {sys.executable} s.py, outs: [o]}}\n",
        write("s.py", script),
    )
    with Gate(place.root / "gate") as gate, Program(place, "repro", "--grace", "5") as program:
        gate.passed()
        program.send(signal.SIGINT)
        assert program.end().code == 130

    record = _records(place)["s"]
    assert (record["signal"], record["cancelled"]) == ("SIGINT", "interrupted")


def _endless() -> int:
    reader, _ = os.pipe()
    return reader


@pytest.mark.parametrize("allowed", [False, True])
def test_a_daemon_is_ended_and_named_unless_it_is_allowed(place: Place, allowed: bool) -> None:
    meta = ", meta: {exprun: {allow_daemons: true}}" if allowed else ""
    script = (
        "setsid sh -c 'trap \"\" INT TERM HUP; echo $$ > ../gate; exec cat ../never'"
        " < /dev/null > /dev/null 2>&1 &\necho > o\n"
    )
    make_project(place, f"stages:\n  s: {{cmd: sh s.sh, outs: [o]{meta}}}\n", write("s.sh", script))
    os.mkfifo(place.root / "never")
    with Gate(place.root / "gate") as gate:
        ended = run(place, "repro", "--grace", "0.1")
        daemon = int(gate.passed())

    assert ended.code == 0, ended
    assert is_alive(daemon) == allowed
    leftovers = _records(place)["s"]["leftovers"]
    assert [left["pid"] for left in leftovers] == ([] if allowed else [daemon])
    if allowed:
        os.kill(daemon, signal.SIGKILL)


def test_what_holds_the_output_open_does_not_hold_up_the_run(place: Place) -> None:
    script = (
        "(trap '' TERM HUP; echo > ../gate; exec cat ../never) &\nread line < ../go; echo > o\n"
    )
    make_project(place, "stages:\n  s: {cmd: sh s.sh, outs: [o]}\n", write("s.sh", script))
    os.mkfifo(place.root / "never")
    with (
        Gate(place.root / "gate") as gate,
        Gate(place.root / "go") as _,
        Program(place, "repro", "--grace", "0.1") as program,
    ):
        gate.passed()
        (place.root / "go").write_text("\n")
        ended = program.end(timeout_s=10)

    assert ended.code == 0, ended
    assert [left["ended_by"] for left in _records(place)["s"]["leftovers"]] == ["SIGKILL"]


def test_a_stage_without_a_terminal_is_told_so_at_once(place: Place) -> None:
    make_project(place, "stages:\n  s: {cmd: 'read line < /dev/tty', outs: [o]}\n")

    ended = run(place, "repro")

    assert ended.code == 1, ended


def test_the_log_of_a_killed_orchestrator_has_no_end(place: Place) -> None:
    make_project(
        place, f"stages:\n  s: {{cmd: 'echo on; echo > {place.root}/gate; cat', outs: [o]}}\n"
    )
    with Gate(place.root / "gate") as gate, Program(place, "repro", stdin=_endless()) as program:
        gate.passed()
        program.send(signal.SIGKILL)
        program.end()

    [log] = _logs(place)
    assert log.read_bytes() == b"on\n"
    assert "s" not in _records(place)


def _logs(place: Place) -> list[Path]:
    return list((place.repo / ".dvc/tmp/exprun/logs").rglob("s.log"))
