"""W9: the table of many stored experiments, beside DVC's."""

from __future__ import annotations

import csv
import subprocess
from typing import TYPE_CHECKING

from benchmarks.measuring import Failed, interleaved
from benchmarks.projects import Bench, two_stages, up_to_date
from benchmarks.report import Row, Target, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PER_EXPERIMENT = Target(reach=0.3, stretch=0.12, unit=" ms")
FASTER = Target(reach=10, at_least=True)
WITH_DVC = 50
"""DVC takes some 20 ms for each experiment that it has not seen."""


def stored(directory: Path, *, quick: bool) -> Iterator[Row]:
    count, rounds = (500, 2) if quick else (5_000, 3)
    none, few, many = (_project(directory / str(n), n) for n in (0, WITH_DVC, count))
    costs = interleaved(
        {
            "exprun": few.exprun("show", "--csv", "--force"),
            "dvc": few.real_dvc("exp", "show", "--csv", "--force"),
            "none": none.exprun("show", "--csv"),
            "cold": many.exprun("show", "--csv", "--force"),
            "warm": many.exprun("show", "--csv"),
        },
        rounds,
    )
    yield Row(
        work=f"W9 table of {WITH_DVC} experiments never read, times faster than DVC",
        figure=costs["dvc"].cpu_s / costs["exprun"].cpu_s,
        target=FASTER,
        values=milliseconds(it=costs["exprun"].cpu_s, dvc=costs["dvc"].cpu_s),
    )
    for name, how in (("cold", "never read"), ("warm", "read before")):
        own = costs[name].cpu_s - costs["none"].cpu_s
        yield Row(
            work=f"W9 table of {count} experiments {how}, each, over a table of none",
            figure=own / count * 1000,
            target=PER_EXPERIMENT,
            unit=" ms",
            values=milliseconds(it=costs[name].cpu_s, none=costs["none"].cpu_s),
        )


def _project(directory: Path, count: int) -> Bench:
    """Experiments that differ in a parameter, the lock file and a metric."""
    bench = up_to_date(two_stages(directory))
    head = bench.git("rev-parse", "HEAD").strip()
    lock = (bench.root / "dvc.lock").read_text()
    stream = []
    for number in range(1, count + 1):
        files = {
            "params.yaml": f"lr: {number}\nrows: 3\n",
            "dvc.lock": lock.replace("lr: 0", f"lr: {number}"),
            "metrics.json": f'{{"lr": {number}}}\n',
        }
        stream.append(
            f"commit refs/exps/{head[:2]}/{head[2:]}/e{number}\n"
            f"committer bench <bench@example.com> {1_700_000_000 + number} +0000\n"
            f"data 0\nfrom {head}\n"
        )
        stream += [
            f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items()
        ]
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=bench.root,
        env=bench.env,
        input="".join(stream).encode(),
        check=True,
        timeout=600,
    )
    _require_all(bench, count)
    return bench


def _require_all(bench: Bench, count: int) -> None:
    """Raise Failed unless the table holds every experiment with its parameter and metric."""
    shown = subprocess.run(
        bench.exprun("show", "--csv").argv,
        cwd=bench.root,
        env=bench.env,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    ).stdout
    rows = [row for row in csv.DictReader(shown.splitlines()) if row["Experiment"]]
    found = {(row["Experiment"], row["params.yaml:lr"], row["metrics.json:lr"]) for row in rows}
    if found != {(f"e{number}", str(number), str(number)) for number in range(1, count + 1)}:
        raise Failed(f"the table holds {len(found)} right rows of {count}")
