"""Signals to a real exprun with real stages: who gets them, what is left, and how fast."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.program import (
    Gate,
    Program,
    environ_of,
    experiments,
    git_state,
    is_alive,
    make_project,
    run,
)
from tests.support.project import write
from tests.support.records import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.environment import Place

# What is promised, counted from the last signal.
SOON_S = 2
HANGING = """\
stages:
  first:
    cmd: echo 1 > one
    outs: [one]
  second:
    cmd: sh hang.sh
    deps: [one, hang.sh]
    outs: [two]
"""
# Tells its first signal through the gate. Blocked from the start, none can slip through.
TELLING = """\
exec {python} -c '
import signal
numbers = {{signal.SIGINT, signal.SIGTERM, signal.SIGHUP}}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
with open("{gate}", "w", buffering=1) as gate:
    print("ready", file=gate)
    print(signal.Signals(signal.sigwait(numbers)).name, file=gate)
    raise SystemExit(f"and then {{signal.sigpending()}}" if signal.sigpending() else 1)
'
"""
IGNORING = """\
trap '' INT TERM HUP
echo $$ > ../gate
cat ../never
"""
ESCAPING = """\
setsid sh -c 'trap "" INT TERM HUP; echo $$ > ../gate; exec cat ../never' &
echo $$ > ../gate
wait
"""

# What runs at the start of every Python: it waits where Git's directory is looked for.
STOPPING_EARLY = """\
import sys, time
def stop(event, args):
    if event == "open" and str(args[0]).endswith("/commondir"):
        with open({gate!r}, "w") as gate:
            gate.write("here\\n")
        time.sleep(1000)
sys.addaudithook(stop)
"""


@pytest.fixture
def gate(place: Place) -> Iterator[Gate]:
    os.mkfifo(place.root / "never")
    with Gate(place.root / "gate") as gate:
        yield gate


def _telling(place: Place) -> str:
    return TELLING.format(python=sys.executable, gate=place.root / "gate")


def _project(place: Place, script: str) -> dict[str, object]:
    make_project(place, HANGING, write("hang.sh", script))
    return git_state(place)


@pytest.mark.parametrize(
    ("number", "told", "code"),
    [
        (signal.SIGINT, "SIGINT", 130),
        (signal.SIGTERM, "SIGTERM", 143),
        (signal.SIGHUP, "SIGTERM", 129),
    ],
)
@pytest.mark.parametrize("where", ["workspace", "temp"])
def test_a_signal_reaches_the_stage_once_and_nothing_is_lost(
    place: Place, gate: Gate, number: signal.Signals, told: str, code: int, where: str
) -> None:
    before = _project(place, _telling(place))
    temp = ["--temp"] if where == "temp" else []
    # The stage ends by itself, so nobody waits for the end of the grace.
    with Program(place, "run", "-n", "e", "--grace", "60", *temp) as program:
        assert gate.passed() == "ready"
        program.send(number)
        assert gate.passed() == told
        ended = program.end()

    assert (ended.code, "Traceback" in ended.stderr) == (code, False), ended
    assert gate.is_empty()
    assert git_state(place) == before
    assert not experiments(place)
    assert not (place.repo / ".gitignore").exists()
    logs = ended.stderr.partition("logs: ")[2].splitlines()[0]
    assert os.path.exists(f"{logs}/first.log")
    assert read_record(f"{logs}/second.log") is not None
    again = run(place, "run", "-n", "e", "first")
    assert again.code == 0, again


def test_repro_keeps_what_was_finished(place: Place, gate: Gate) -> None:
    _project(place, _telling(place))
    with Program(place, "repro") as program:
        assert gate.passed() == "ready"
        program.send(signal.SIGINT)
        ended = program.end()

    assert ended.code == 130
    assert "Stage 'first' didn't change" in run(place, "repro", "first").stdout


def test_a_second_signal_kills_at_once(place: Place, gate: Gate) -> None:
    _project(place, IGNORING)
    with Program(place, "run", "-n", "e", "--grace", "60") as program:
        stage = int(gate.passed())
        program.send(signal.SIGINT)
        # Two of a kind may be delivered as one.
        program.send(signal.SIGTERM)
        ended = program.end()

    # Sent in one moment, they come in any order.
    assert ended.code in {130, 143}, ended
    assert ended.duration_s < SOON_S
    assert not is_alive(stage)


@pytest.mark.parametrize("where", ["workspace", "queue"])
def test_the_signal_to_quit_kills_at_once(place: Place, gate: Gate, where: str) -> None:
    before = _project(place, IGNORING.replace("..", str(place.root)))
    if where == "queue":
        assert run(place, "run", "--queue", "-n", "e").code == 0
    how = ["-n", "e"] if where == "workspace" else ["--run-all"]
    with Program(place, "run", *how, "--grace", "60") as program:
        stage = int(gate.passed())
        program.send(signal.SIGQUIT)
        ended = program.end()

    assert (ended.code, "Traceback" in ended.stderr) == (131, False), ended
    assert ended.duration_s < SOON_S
    assert not is_alive(stage)
    assert git_state(place) == before
    if where == "queue":
        assert "interrupted" in run(place, "queue", "status").stdout


def test_a_stage_that_ignores_signals_is_killed_after_the_grace(place: Place, gate: Gate) -> None:
    _project(place, IGNORING)
    with Program(place, "run", "-n", "e", "--grace", "0.2") as program:
        stage = int(gate.passed())
        program.send(signal.SIGTERM)
        ended = program.end()

    assert ended.code == 143, ended
    assert ended.duration_s < 0.2 + SOON_S
    assert not is_alive(stage)


def test_what_hides_in_another_session_is_found(place: Place, gate: Gate) -> None:
    _project(place, ESCAPING)
    with Program(place, "run", "-n", "e", "--grace", "0.2") as program:
        pids = [int(gate.passed()), int(gate.passed())]
        program.send(signal.SIGINT)
        ended = program.end()

    assert ended.code == 130, ended
    assert not any(map(is_alive, pids))


def test_parallel_stages_are_all_told(place: Place, gate: Gate) -> None:
    stage = "{cmd: sh hang.sh, outs: [%s]}"
    stages = "".join(f"  {name}: {stage % name}\n" for name in "abc")
    make_project(place, f"stages:\n{stages}", write("hang.sh", _telling(place)))
    with Program(place, "repro", "-P", "-j", "3") as program:
        assert [gate.passed() for _ in range(3)] == ["ready"] * 3
        program.send(signal.SIGINT)
        assert [gate.passed() for _ in range(3)] == ["SIGINT"] * 3
        assert program.end().code == 130


def test_a_signal_while_files_are_read_ends_without_a_traceback(place: Place) -> None:
    make_project(place, "stages:\n  s: {cmd: 'true', deps: [slow]}\n")
    slow = place.repo / "slow"
    slow.write_bytes(b"")
    # Hashing waits for as long as another process holds the project.
    lock = place.repo / ".dvc/tmp/lock"
    lock.parent.mkdir(exist_ok=True)
    with (
        subprocess.Popen(
            ["flock", str(lock), "sh", "-c", "echo locked; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as holder,
        Program(place, "run", "-n", "e") as program,
    ):
        assert holder.stdout and holder.stdin
        assert holder.stdout.readline() == b"locked\n"
        assert program.process.stderr
        assert b"waiting for" in program.process.stderr.readline()
        program.send(signal.SIGINT)
        ended = program.end()
        holder.stdin.close()

    assert ended.code == 130, ended
    assert ended.duration_s < SOON_S
    assert "Traceback" not in ended.stderr
    assert not experiments(place)


def test_a_signal_before_anything_ends_the_process_silently(place: Place, gate: Gate) -> None:
    make_project(place, HANGING)
    hook = place.root / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(STOPPING_EARLY.format(gate=str(place.root / "gate")))
    path = f"{hook}:{environ_of(place)['PYTHONPATH']}"
    with Program(place, "run", "-n", "e", env={"PYTHONPATH": path}) as program:
        gate.passed()
        program.send(signal.SIGINT)
        ended = program.end()

    assert (ended.code, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(
    "how", [("-j", "1"), ("-j", "2"), ("--events", "-"), ("--run-all",)], ids=" ".join
)
def test_a_reader_who_does_not_read_holds_up_no_end(
    place: Place, gate: Gate, how: tuple[str, ...]
) -> None:
    _project(place, "yes | head -n 100000\n" + IGNORING.replace("..", str(place.root)))
    if how == ("--run-all",):
        assert run(place, "run", "--queue", "-n", "e").code == 0
    reader, writer = os.pipe()
    try:
        with Program(place, "run", *how, "--grace", "0.2", stdout=writer) as program:
            stage = int(gate.passed())
            while select.select([], [writer], [], 0)[1]:
                assert program.process.poll() is None, program.end()
            program.send(signal.SIGTERM)
            ended = program.end()
    finally:
        os.close(reader)
        os.close(writer)

    assert ended.code == 143, ended
    assert ended.duration_s < 0.2 + SOON_S
    assert not is_alive(stage)


def test_nohup_is_respected(place: Place, gate: Gate) -> None:
    _project(place, "echo ready > ../gate; read line < ../go; echo 2 > two\n")
    with (
        Gate(place.root / "go") as _,
        Program(
            place, "repro", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
        ) as program,
    ):
        assert gate.passed() == "ready"
        program.send(signal.SIGHUP)
        (place.root / "go").write_text("\n")
        assert program.end().code == 0
