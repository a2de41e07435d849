"""exprun killed at any moment: nothing torn, nothing lost, and the next run needs no repair.

`EXPRUN_KILLS` says how often: see `test_kills.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.program import (
    Gate,
    Program,
    experiments,
    git_state,
    is_alive,
    make_project,
    run,
)
from tests.support.project import write

if TYPE_CHECKING:
    from tests.support.environment import Place
    from tests.support.tools import Tool

KILLS = int(os.environ.get("EXPRUN_KILLS", "50"))

CHAIN = "stages:\n" + "".join(
    f"  s{n}:\n"
    f"    cmd: mkdir -p d{n} && cat params.yaml {f'd{n - 1}/f' if n else ''} > d{n}/f\n"
    f"    deps: [{f'd{n - 1}' if n else ''}]\n"
    "    params: [lr]\n"
    f"    outs: [d{n}]\n"
    for n in range(4)
)


@pytest.mark.timeout(60 + 2 * KILLS)
@pytest.mark.parametrize("temp", [[], ["--temp"]], ids=["workspace", "temp"])
def test_kill_9_at_random_moments(place: Place, temp: list[str]) -> None:
    make_project(place, CHAIN, write("params.yaml", "lr: 0\n"))
    before = git_state(place)
    moments = random.Random(20)
    whole = run(place, "run", "-n", "whole", *temp)
    assert whole.code == 0, whole

    for number in range(KILLS // 5):
        with Program(place, "run", "-n", f"e{number}", "-S", f"lr={number + 1}", *temp) as program:
            try:
                program.process.wait(timeout=moments.uniform(0.1, 1.0) * whole.duration_s)
            except subprocess.TimeoutExpired:
                program.send(signal.SIGKILL)
            program.end()
        assert git_state(place) == before
        _require_whole_files(place)

    last = run(place, "run", "-n", "last", "-S", "lr=0.5", *temp)
    assert last.code == 0, last
    assert {"whole", "last"} <= set(experiments(place))
    assert git_state(place) == before
    subprocess.run(
        ["git", "fsck", "--strict", "--no-dangling"],
        cwd=place.repo,
        env=place.environ(),
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert not list((place.repo / ".dvc/tmp/exps").rglob(".git"))


def _require_whole_files(place: Place) -> None:
    lock = place.repo / "dvc.lock"
    if lock.exists():
        assert set(yaml.safe_load(lock.read_bytes())) == {"schema", "stages"}
    for stored in (place.repo / ".dvc/cache/files/md5").glob("??/*"):
        name = stored.parent.name + stored.name.removesuffix(".dir")
        if not name.endswith(".tmp"):
            assert hashlib.md5(stored.read_bytes()).hexdigest() == name


def test_what_a_killed_run_left_running_is_ended_by_the_next(place: Place) -> None:
    os.mkfifo(place.root / "never")
    pipeline = "stages:\n  s: {cmd: sh s.sh, outs: [o]}\n  t: {cmd: echo > t, outs: [t]}\n"
    script = "trap '' INT TERM; echo $$ > ../gate; cat ../never\n"
    with Gate(place.root / "gate") as gate:
        make_project(place, pipeline, write("s.sh", script))
        with Program(place, "repro", "s") as program:
            stage = int(gate.passed())
            program.send(signal.SIGKILL)
            program.end()
        assert is_alive(stage)

        ended = run(place, "repro", "t")

    assert ended.code == 0, ended
    assert f"(pid {stage})" in ended.stderr
    assert not is_alive(stage)
    assert not os.listdir(place.repo / ".dvc/tmp/exprun/running")


def test_a_mutex_is_not_free_while_what_held_it_runs(place: Place) -> None:
    os.mkfifo(place.root / "never")
    needs = "meta: {exprun: {mutex: db}}"
    make_project(
        place,
        f"stages:\n  s: {{cmd: sh s.sh, {needs}}}\n  t: {{cmd: sh t.sh, {needs}}}\n",
        write("s.sh", f"trap '' INT TERM; echo $$ > {place.root}/gate; cat {place.root}/never\n"),
        write("t.sh", f"echo > {place.root}/gate\n"),
    )
    with Gate(place.root / "gate") as gate, Program(place, "repro", "s") as killed:
        holder = int(gate.passed())
        with Program(place, "run", "--temp", "-n", "e", "t") as waiting:
            assert waiting.process.stderr is not None
            assert b"waits for mutex 'db'" in waiting.process.stderr.readline()
            killed.send(signal.SIGKILL)
            gate.passed()
            held_on = is_alive(holder)
            ended = waiting.end()

    assert ended.code == 0, ended
    assert not held_on


def test_what_was_stored_but_not_told_is_not_run_again(place: Place, exprun: Tool) -> None:
    make_project(place, f"stages:\n  s: {{cmd: echo >> {place.root}/ran && echo > o, outs: [o]}}\n")
    assert exprun.run(("run", "--queue", "-f", "-n", "e"), place=place).code == 0
    assert exprun.run(("run", "--run-all"), place=place).code == 0
    # As if it had been killed between the two.
    journal = place.repo / ".dvc/tmp/exprun/queue/journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert b'"end"' in lines[-1]
    journal.write_bytes(b"".join(lines[:-1]))
    [row] = json.loads(exprun.run(("queue", "status", "--json"), place=place).stdout)
    assert row["status"] == "interrupted"

    again = exprun.run(("run", "--run-all"), place=place)

    assert again.code == 0, again
    [row] = json.loads(exprun.run(("queue", "status", "--json"), place=place).stdout)
    assert row["status"] == "success"
    assert (place.root / "ran").read_text() == "\n"
    assert experiments(place) == ["e"]


def test_who_is_killed_before_it_has_begun_leaves_nothing_for_long(
    place: Place, exprun: Tool
) -> None:
    make_project(place, "stages:\n  s: {cmd: echo > o, outs: [o]}\n")
    running = place.repo / ".dvc/tmp/exprun/running"
    running.mkdir(parents=True)
    old, young = running / f".{'a' * 32}", running / f".{'b' * 32}"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))

    assert exprun.run(("repro",), place=place).code == 0

    # The young one may be about to be locked by its maker.
    assert list(running.iterdir()) == [young]


def test_a_run_beside_a_living_one_leaves_it_alone(place: Place) -> None:
    os.mkfifo(place.root / "go")
    pipeline = "stages:\n  s: {cmd: sh s.sh, outs: [o]}\n  t: {cmd: echo > t, outs: [t]}\n"
    script = "echo $$ > ../gate; read line < ../go; echo > o\n"
    with Gate(place.root / "gate") as gate:
        make_project(place, pipeline, write("s.sh", script))
        with Program(place, "repro", "s") as program:
            gate.passed()
            beside = run(place, "repro", "t")
            (place.root / "go").write_text("\n")
            ended = program.end()

    assert (beside.code, ended.code) == (0, 0), (beside, ended)
    assert "left by" not in beside.stderr
