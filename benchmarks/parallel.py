"""W4, W5, W6: how close concurrent work comes to the shortest time possible."""

from __future__ import annotations

import math
import shutil
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measuring import Failed, interleaved, measure
from benchmarks.projects import (
    Bench,
    require_applicable,
    require_experiments,
    two_stages,
    up_to_date,
)
from benchmarks.report import Row, Target, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


SLEEPING = {1: Target(reach=1.05, stretch=1.02), 8: Target(reach=1.1, stretch=1.05)}
SLEEPING[32] = Target(reach=1.35, stretch=1.25)
SHARING = Target(reach=1.2, stretch=1.1)
PIPELINE = Target(reach=1.25, stretch=1.12)
PER_STAGE = Target(reach=6, stretch=3, unit=" ms")


def parallel(directory: Path, *, quick: bool) -> Iterator[Row]:
    yield from _sleeping(directory / "sleeping", quick=quick)
    yield _sharing(directory / "sharing", quick=quick)
    yield from _pipeline(directory / "pipeline", quick=quick)


def _queued(bench: Bench, count: int, *more: str) -> dict[str, int]:
    measure(bench.exprun("run", "--queue", "-n", "q", "-S", f"lr=range(1,{count + 1})", *more))
    return {f"q-{number}": number for number in range(1, count + 1)}


def _sleeping(directory: Path, *, quick: bool) -> Iterator[Row]:
    count, nap_s = (16, 0.5) if quick else (32, 1.0)
    for jobs in (8,) if quick else (1, 8, 32):
        second = f"sleep {nap_s}"
        bench = up_to_date(two_stages(directory / str(jobs), second=second))
        owed = _queued(bench, count)
        cost = measure(bench.exprun("run", "--run-all", "-j", str(jobs)))
        require_experiments(bench, owed, runs={"train": count})
        ideal_s = math.ceil(count / jobs) * nap_s
        yield Row(
            work=f"W4 {count} x sleep {nap_s:g}, j = {jobs}, wall against ideal",
            figure=cost.wall_s / ideal_s,
            target=None if quick else SLEEPING[jobs],
            values=milliseconds(wall=cost.wall_s, ideal=ideal_s, cpu=cost.cpu_s),
        )


def _sharing(directory: Path, *, quick: bool) -> Row:
    count, nap_s = (8, 1.0) if quick else (16, 2.0)
    bench = up_to_date(two_stages(directory, first=f"sleep {nap_s}"))
    owed = _queued(bench, count, "-S", "rows=4")
    cost = measure(bench.exprun("run", "--run-all", "-j", "8"))
    require_experiments(bench, owed, runs={"prepare": 1, "train": count})
    require_applicable(bench, "q-1")
    work = f"seq {count} | xargs -P8 -I@ sh train.sh"
    rest = median(measure(bench.command("sh", "-c", work)).wall_s for _ in range(3))
    floor_s = nap_s + rest
    return Row(
        work=f"W5 {count} experiments share a {nap_s:g} s stage, run once, wall against floor",
        figure=cost.wall_s / floor_s,
        target=SHARING,
        values=milliseconds(wall=cost.wall_s, floor=floor_s, cpu=cost.cpu_s),
    )


def _pipeline(directory: Path, *, quick: bool) -> Iterator[Row]:
    count, nap_s = (32, 0.1) if quick else (64, 0.25)
    bench = Bench.create(directory)
    cmd = f"sleep {nap_s}; echo @ > o@; echo @ >> $RUNS"
    numbers = [str(number) for number in range(count)]
    stages = (f"  s{n}:\n    cmd: {cmd.replace('@', n)}\n    outs: [o{n}]\n" for n in numbers)
    bench.write("dvc.yaml", "stages:\n" + "".join(stages))
    bench.write(".gitignore", "/o[0-9]*\n")
    bench.commit()
    edges = "".join(f"build o{n}: work\n  n = {n}\n" for n in numbers)
    script = cmd.replace("$RUNS", "$$RUNS").replace("@", "$n")
    bench.write("build.ninja", f"rule work\n  command = {script}\n{edges}")

    def afresh(_: int) -> Sequence[str]:
        bench.runs.unlink(missing_ok=True)
        for name in (".dvc/cache", ".dvc/tmp"):
            shutil.rmtree(bench.root / name, ignore_errors=True)
        for name in ("dvc.lock", ".ninja_log", *(f"o{number}" for number in numbers)):
            (bench.root / name).unlink(missing_ok=True)
        return ()

    # Just after `it`, there is nothing to do: that is what starting up and looking costs.
    commands = {
        "it": bench.exprun("repro", "-j", "8", prepare=afresh),
        "nothing": bench.exprun("repro", "-j", "8"),
        "commands": bench.command(*_without_exprun(), prepare=afresh),
    }
    costs = interleaved(commands, 1 if quick else 3)
    measure(bench.exprun("repro", "-j", "8", prepare=afresh))
    _require_pipeline(bench, numbers)
    it, nothing, alone = costs["it"], costs["nothing"], costs["commands"]
    ideal_s = math.ceil(count / 8) * nap_s
    work = f"W6 {count} x {nap_s:g} s in one pipeline, 8 jobs"
    yield Row(
        work=f"{work}, wall against ideal",
        figure=it.wall_s / ideal_s,
        target=None if quick else PIPELINE,
        values=milliseconds(wall=it.wall_s, ideal=ideal_s, ninja=alone.wall_s),
    )
    yield Row(
        work=f"{work}, CPU per finished stage over its command",
        figure=(it.cpu_s - nothing.cpu_s - alone.cpu_s) / count * 1000,
        target=PER_STAGE,
        unit=" ms",
        values=milliseconds(it=it.cpu_s, nothing_to_do=nothing.cpu_s, ninja=alone.cpu_s),
    )


def _without_exprun() -> Sequence[str]:
    """ninja, or what comes nearest where there is none."""
    if shutil.which("ninja"):
        return ("ninja", "-j8")
    script = "sed -n 's/^ *cmd: //p' dvc.yaml | tr '\\n' '\\0' | xargs -0 -P8 -n1 sh -c"
    return ("sh", "-c", script)


def _require_pipeline(bench: Bench, numbers: Sequence[str]) -> None:
    """Each stage ran once and made what it was to make; real DVC finds nothing to do."""
    if sorted(bench.runs.read_text().split()) != sorted(numbers):
        raise Failed("not every stage ran once")
    for number in numbers:
        if (bench.root / f"o{number}").read_text() != f"{number}\n":
            raise Failed(f"o{number} is wrong")
    bench.require_clean()
