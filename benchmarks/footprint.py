"""W11: what exprun itself needs while experiments run: memory, processes, idle CPU."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import Failed, measure
from benchmarks.projects import require_experiments, two_stages, up_to_date
from benchmarks.report import Row, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Target(reach=60, stretch=40, unit=" MB")
PER_EXPERIMENT = Target(reach=0.5, stretch=0.1, unit=" MB")
IDLE = Target(reach=0.05, stretch=0.01, unit=" s")
ONE = Target(reach=1, unit="")

FEW, MANY = 8, 32


def footprint(directory: Path, *, quick: bool) -> Iterator[Row]:
    idle_s = 2.0 if quick else 10.0
    with _running(directory / "few", FEW) as pid:
        time.sleep(0.5)
        before = _cpu_s(pid)
        time.sleep(idle_s)
        idle = (_cpu_s(pid) - before) * 10 / idle_s
        few_mb, processes = _peak_mb(pid), _processes(pid)
    with _running(directory / "many", MANY) as pid:
        many_mb = _peak_mb(pid)
    work = f"W11 with {FEW} running"
    yield Row(work=f"{work}, peak memory", figure=few_mb, target=MEMORY, unit=" MB")
    yield Row(work=f"{work}, processes of its own", figure=processes, target=ONE, unit="")
    yield Row(work=f"{work}, CPU over 10 s", figure=idle, target=IDLE, unit=" s")
    yield Row(
        work=f"W11 memory per running experiment ({FEW} to {MANY})",
        figure=(many_mb - few_mb) / (MANY - FEW),
        target=PER_EXPERIMENT,
        unit=" MB",
        values=f"{few_mb:.1f} MB, {many_mb:.1f} MB",
    )


@contextmanager
def _running(directory: Path, count: int) -> Iterator[int]:
    """The process that runs `count` experiments, each of them in the middle of its stage."""
    gate = directory / "outside" / "gate"
    waiting = f"if [ -p {gate} ]; then echo began >> {gate}.began; cat {gate}; fi"
    bench = up_to_date(two_stages(directory, second=waiting))
    os.mkfifo(gate)
    measure(bench.exprun("run", "--queue", "-n", "q", "-S", f"lr=range(1,{count + 1})"))
    command = bench.exprun("run", "--run-all", "-q", "-j", str(count))
    with subprocess.Popen(command.argv, cwd=bench.root, env=bench.env) as process:
        try:
            _wait_for(Path(f"{gate}.began"), count)
            yield process.pid
            # All of them are reading: closing it tells each of them to go on.
            gate.open("w").close()
            if process.wait(60) != 0:
                raise Failed("run-all failed")
        finally:
            process.terminate()
    owed = {f"q-{number}": number for number in range(1, count + 1)}
    require_experiments(bench, owed, runs={"train": count})


def _wait_for(file: Path, count: int) -> None:
    limit = time.monotonic() + 60
    while not file.exists() or len(file.read_text().split()) < count:
        if time.monotonic() > limit:
            raise Failed(f"{count} experiments do not run at once")
        time.sleep(0.05)


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise Failed("the system does not tell of memory")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _processes(pid: int) -> int:
    """How many processes of Python there are: the commands are none."""
    pids, count = [pid], 0
    for one in pids:
        count += "python" in os.readlink(f"/proc/{one}/exe")
        for task in Path(f"/proc/{one}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return count
