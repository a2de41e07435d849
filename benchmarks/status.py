"""W7: many stages with nothing to do, beside reading their files, and beside DVC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measuring import interleaved
from benchmarks.projects import Bench, many_stages
from benchmarks.report import Row, Target, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEAR_READING = Target(reach=1.3, stretch=0.5)
FASTER = Target(reach=15, stretch=40, at_least=True)
MEMORY = Target(reach=138, stretch=80, unit=" MB")

READING = """
import os, yaml
for name in ("dvc.yaml", "dvc.lock"):
    with open(name, "rb") as file:
        document = yaml.load(file, yaml.CSafeLoader)
for entry in document["stages"].values():
    for part in entry["deps"] + entry["outs"]:
        os.stat(part["path"])
"""


def status(directory: Path, *, quick: bool) -> Iterator[Row]:
    for count in (1000,) if quick else (1000, 5000):
        bench = many_stages(directory / str(count), count)
        bench.require_clean()
        yield from _status(bench, count, quick=quick)


def _status(bench: Bench, count: int, *, quick: bool) -> Iterator[Row]:
    commands = {
        "floor": bench.python("-c", READING),
        "exprun status": bench.exprun("status"),
        "exprun repro": bench.exprun("repro"),
    }
    costs = interleaved(commands, rounds=3 if quick else 5)
    floor = costs.pop("floor")
    # DVC takes so long here that noise does not matter: one round after a warm one.
    dvc = interleaved({"dvc": bench.real_dvc("status")}, rounds=1)["dvc"]
    for name, cost in costs.items():
        values = milliseconds(it=cost.cpu_s, floor=floor.cpu_s, dvc_status=dvc.cpu_s)
        yield Row(
            work=f"W7 {name}, {count} stages, against stat + CSafeLoader",
            figure=cost.cpu_s / floor.cpu_s,
            target=NEAR_READING,
            values=values,
        )
        yield Row(
            work=f"W7 {name}, {count} stages, times faster than dvc status",
            figure=dvc.cpu_s / cost.cpu_s,
            target=FASTER,
        )
        yield Row(
            work=f"W7 {name}, {count} stages, peak memory",
            figure=cost.peak_mb,
            target=MEMORY if count == 5000 else None,
            unit=" MB",
            values=f"floor {floor.peak_mb:.0f} MB, dvc {dvc.peak_mb:.0f} MB",
        )
