"""Too much of something, or too little: output, experiments, descriptors, processes, disk."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.bench import Bench, make_bench
from tests.support.environment import Place
from tests.support.missing import missing
from tests.support.program import (
    COMMAND,
    Gate,
    Program,
    environ_of,
    experiments,
    git,
    git_state,
    make_project,
    run,
)
from tests.support.project import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tools import Tool

MB = 1 << 20
_MOST_MEMORY = 200 * MB
_NEWCOMER = 54_321
"""The id of a user who has nothing."""


def _peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("how", [("repro",), ("run", "-j", "2"), ("run", "--temp")])
def test_200_mb_of_output(place: Place, how: tuple[str, ...]) -> None:
    # Then the stage waits to be looked at.
    cmd = f"head -c {200 * MB} /dev/zero; echo > ../gate; read line < ../go; echo > out"
    if "--temp" in how:
        cmd = cmd.replace("..", str(place.root))
    make_project(place, f"stages:\n  s: {{cmd: {cmd}, outs: [out]}}\n")
    with (
        open(os.devnull, "wb") as nowhere,
        Gate(place.root / "gate") as gate,
        Gate(place.root / "go") as _,
        Program(place, *how, stdout=nowhere) as program,
    ):
        gate.passed()
        memory = _peak_memory(program.process.pid)
        (place.root / "go").write_text("\n")
        assert program.end().code == 0

    assert memory < _MOST_MEMORY
    [log] = (place.repo / ".dvc/tmp/exprun/logs").rglob("s.log")
    assert log.stat().st_size == 200 * MB


def test_a_thousand_queued_experiments(place: Place) -> None:
    pipeline = (
        "stages:\n"
        f"  s: {{cmd: 'echo > {place.root}/gate; read line < {place.root}/go; cp params.yaml o',"
        " params: [lr], outs: [o]}\n"
    )
    make_project(place, pipeline, write("params.yaml", "lr: 0\n"))
    assert run(place, "run", "--queue", "-q", "-S", "lr=range(0,1000)").code == 0
    with (
        Gate(place.root / "gate") as gate,
        Gate(place.root / "go") as _,
        Program(place, "run", "--run-all", "-j2") as program,
    ):
        gate.passed()
        processes = Path(f"/proc/{program.process.pid}/task").iterdir()
        memory = _peak_memory(program.process.pid)
        assert len(list(processes)) < 20
        program.send(signal.SIGINT)
        ended = program.end()
        rows = json.loads(run(place, "queue", "status", "--json").stdout)

    assert ended.code == 130, ended
    assert memory < _MOST_MEMORY
    assert len(rows) == 1000
    assert {row["status"] for row in rows} == {"queued", "interrupted"}


@pytest.fixture
def bench(tmp_path: Path, exprun: Tool) -> Bench:
    return make_bench(tmp_path, exprun, experiments=6)


def test_few_descriptors_mean_fewer_jobs(bench: Bench) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    ended = run(bench.place, "run", "--run-all", "-j", "16", preexec_fn=limit)

    assert ended.code == 0, ended
    assert "WARNING: no more than 3 jobs run at a time" in ended.stderr
    bench.finish()


@pytest.mark.parametrize("limit_mb", [30, 45, 60, 75, 100, 150, 200, 350, 400, 600])
def test_little_memory_means_fewer_threads_or_none(bench: Bench, limit_mb: int) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit_mb * MB, limit_mb * MB))

    ended = run(bench.place, "run", "--run-all", "-j", "4", preexec_fn=limit)

    assert ended.code == 0 or (ended.code, ended.stderr.splitlines()[:1]) == (
        3,
        ["ERROR: out of memory"],
    ), ended
    assert "Traceback" not in ended.stderr
    if ended.code == 0:
        assert set(bench.require_promises().values()) == {"success"}
    bench.finish()


@pytest.mark.parametrize("limit_mb", [55, 90, 120, 200])
def test_a_stage_that_needs_a_thread_is_not_waited_for_in_vain(place: Place, limit_mb: int) -> None:
    make_project(place, "stages:\n  s: {cmd: echo > o, outs: [o]}\n")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit_mb * MB, limit_mb * MB))

    ended = run(place, "run", "-n", "e", preexec_fn=limit)

    assert ended.code == 0 or "out of memory" in ended.stderr, ended
    assert ended.code in (0, 1, 3)
    assert ended.duration_s < 5
    assert run(place, "run", "-n", "f", "-f").code == 0


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that is not below one of ours."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.mark.parametrize("limit", [6, 8, 16])
def test_few_processes_are_left_to_the_stages(public: Path, exprun: Tool, limit: int) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        missing("the right to become a user without processes")
    rights = "-all,+dac_override,+dac_read_search"
    caps = ["--inh-caps", rights, "--ambient-caps", rights, "--bounding-set", rights]
    become = [setpriv, "--reuid", str(_NEWCOMER), "--clear-groups", *caps]
    bench = make_bench(public, exprun, experiments=6)
    subprocess.run(["chown", "-R", str(_NEWCOMER), public], check=True, timeout=60)

    def limit_processes() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))

    ended = subprocess.run(
        [*become, *COMMAND, "run", "--run-all", "-j", "6"],
        cwd=bench.place.repo,
        env=environ_of(bench.place),
        capture_output=True,
        timeout=60,
        preexec_fn=limit_processes,
    )

    # A stage may find that there are too few for what it starts itself.
    assert ended.returncode in (0, 1), ended
    assert b"Traceback" not in ended.stderr
    subprocess.run(["chown", "-R", "0", public], check=True, timeout=60)
    bench.finish()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)], capture_output=True
    )
    if mounted.returncode:
        missing("the right to mount a file system")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_fails_what_needs_room_and_only_that(small_disk: Path, exprun: Tool) -> None:
    place = Place(small_disk / "place")
    place.prepare()
    pipeline = "stages:\n  s: {cmd: sh s.sh, params: [mb], outs: [out]}\n"
    script = "head -c $(sed 's/mb: //;s/$/000000/' params.yaml) /dev/zero > out\n"
    make_project(place, pipeline, write("params.yaml", "mb: 0\n"), write("s.sh", script))
    assert exprun.run(("run", "--queue", "-n", "e", "-S", "mb=1,30,2"), place=place).code == 0

    ended = exprun.run(("run", "--run-all"), place=place)

    # Whether the others find room depends on when they look for it; all are told of.
    assert ended.code == 1, ended
    states = {row["name"]: row["status"] for row in _rows(place, exprun)}
    assert states.pop("e-2") == "failed"
    assert set(states.values()) <= {"failed", "success"}
    assert exprun.run(("queue", "remove", "e-2"), place=place).code == 0
    assert exprun.run(("run", "--run-all", "--retry-failed"), place=place).code == 0
    assert experiments(place) == ["e-1", "e-3"]
    filler = place.outside / "filler"
    with pytest.raises(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    for command in (("run", "--queue", "-n", "f", "-S", "mb=1"), ("run", "-n", "f", "-S", "mb=1")):
        full = exprun.run(command, place=place)
        assert full.code in (1, 3), full
        assert "Traceback" not in full.stderr
    filler.unlink()
    again = exprun.run(("run", "--queue", "-n", "f", "-S", "mb=1"), place=place)
    assert again.code == 0, again
    last = exprun.run(("run", "--run-all"), place=place)
    assert last.code == 0, last
    assert experiments(place) == ["e-1", "e-3", "f"]


@pytest.mark.parametrize("path", ["file", "directory"])
def test_copies_for_which_there_is_no_room(small_disk: Path, exprun: Tool, path: str) -> None:
    place = Place(small_disk / "place")
    place.prepare()
    make_project(place, "stages:\n  s: {cmd: cat file > out, outs: [out]}\n")
    (place.repo / "directory").mkdir()
    copied = place.repo / path / "large" if path == "directory" else place.repo / path
    (place.repo / ".git/info/exclude").write_text("/file\n/directory\n")
    copied.write_bytes(bytes(3_000_000))
    assert exprun.run(("run", "--queue", "-n", "e", "-C", path), place=place).code == 0
    # Once as it is, and once as it was when it was queued.
    ended = exprun.run(("run", "--run-all"), place=place)
    assert ended.code == 1, ended
    assert [row["reason"] for row in _rows(place, exprun)] == ["no-space"]
    for how in ("--queue", "--temp"):
        ended = exprun.run(("run", how, "-n", "f", "-C", path), place=place)
        assert ended.code == 3, ended
        assert "cannot copy: no space left on device\n  free some space" in ended.stderr
    assert [row["name"] for row in _rows(place, exprun)] == ["e"]


def _rows(place: Place, exprun: Tool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        exprun.run(("queue", "status", "--json"), place=place).stdout
    )
    return rows


def test_a_file_that_may_grow_no_further_is_no_space(place: Place) -> None:
    make_project(place, "stages:\n  s: {cmd: 'echo 1 > in && sh more.sh', outs: [in]}\n")
    (place.repo / "more.sh").write_text("head -c 900000 /dev/zero >> in\n")
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))\n"
        "import runpy\n"
        "sys.argv = ['exprun', 'repro']\n"
        "runpy.run_module('exprun', run_name='__main__', alter_sys=True)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place.repo,
        env=environ_of(place),
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == 1, done
    assert b"Traceback" not in done.stderr
    assert run(place, "repro").code == 0


@pytest.mark.parametrize("known", [True, False])
def test_an_experiment_that_cannot_start_leaves_the_parameters_as_they_were(
    place: Place, known: bool
) -> None:
    pipeline = "stages:\n  s: {cmd: cat data > o, deps: [data], params: [lr], outs: [o]}\n"
    file, text = place.repo / "params.yaml", "lr: 1  # mine\n"
    make_project(place, pipeline, write("data", "1\n"), *[write("params.yaml", text)] * known)
    assert run(place, "repro").code == (0 if known else 1)
    git(place, "rm", "-q", "--cached", "data")
    subprocess.run(
        [sys.executable, "-m", "dvc", "add", "-q", "data"],
        cwd=place.repo, env=environ_of(place), check=True, timeout=60,
    )  # fmt: skip
    git(place, "add", ".")
    git(place, "commit", "-qm", "data")
    # It has to get into the cache, and is too large for that.
    (place.repo / "data").write_bytes(os.urandom(900_000))
    before = git_state(place)

    set_param = "lr=2" if known else "+lr=2"
    limited = subprocess.run(
        ["sh", "-c", f"ulimit -f 600; exec {sys.executable} -m exprun run -S {set_param}"],
        cwd=place.repo, env=environ_of(place), capture_output=True, timeout=60,
    )  # fmt: skip

    assert limited.returncode in (1, 3), limited
    assert b"Traceback" not in limited.stderr
    assert file.exists() == known
    assert not known or file.read_text() == text
    assert git_state(place) == before
