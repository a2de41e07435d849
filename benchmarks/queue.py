"""W3: queueing and running many small experiments, beside `xargs -P` and beside DVC."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.measuring import Failed, interleaved, measure
from benchmarks.projects import (
    require_applicable,
    require_experiments,
    two_stages,
    up_to_date,
)
from benchmarks.report import Row, Target, milliseconds
from exprun.model.experiment import ExperimentSpec
from exprun.queue.queue import Draft, Names, Queue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.measuring import Command, Cost
    from benchmarks.projects import Bench

QUEUEING_FASTER = Target(reach=5, stretch=8, at_least=True)
SWEEPING = Target(reach=1.5, stretch=1.2)
NEAR_XARGS = {32: Target(reach=4, stretch=2.2), 100: Target(reach=2.5, stretch=1.6)}
FASTER = {
    32: Target(reach=50, stretch=100, at_least=True),
    100: Target(reach=100, stretch=180, at_least=True),
}
OVERHEAD = Target(reach=8, stretch=3, unit=" ms")
ANSWERING = Target(reach=100, stretch=50, unit=" ms")

WITHOUT_EXPRUN = """\
seq {first} {last} | xargs -P {jobs} -I@ sh -c '
mkdir -p {at}/@ && cp in.txt prepared.txt train.sh {at}/@/ && cd {at}/@ || exit 255
printf "lr: @\\nrows: 3\\n" > params.yaml
sh train.sh'
"""


def queue(directory: Path, *, quick: bool) -> Iterator[Row]:
    yield from _queueing(directory / "queueing", quick=quick)
    yield from _running(directory / "running", quick=quick)
    yield _status(directory / "status", entries=10_000)


class _Sweeps:
    """Queues experiments that nobody has queued before, and remembers them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.owed: dict[str, int] = {}

    def queue(self, count: int) -> None:
        first = len(self.owed) + 1
        text = f"lr=range({first},{first + count})"
        measure(self.bench.exprun("run", "--queue", "-S", text, "-n", f"q{first}"))
        names = [f"q{first}-{at + 1}" for at in range(count)] if count > 1 else [f"q{first}"]
        self.owed |= {name: first + at for at, name in enumerate(names)}

    def run(self, count: int, jobs: int) -> Command:
        """``--run-all``, each time with `count` experiments in the queue."""

        def prepare(_: int) -> Sequence[str]:
            self.queue(count)
            return ()

        return self.bench.exprun("run", "--run-all", "-j", str(jobs), prepare=prepare)


def _queueing(directory: Path, *, quick: bool) -> Iterator[Row]:
    ours = up_to_date(two_stages(directory / "exprun"))
    theirs = up_to_date(two_stages(directory / "dvc"))
    costs = interleaved(
        {
            "one": ours.exprun("run", "--queue", prepare=lambda n: ("-S", f"lr={n + 1}")),
            "sweep": ours.exprun(
                "run", "--queue", prepare=lambda n: ("-S", f"lr=range({n + 1}000,{n + 1}100)")
            ),
            "dvc": theirs.real_dvc(
                "exp", "run", "--queue", prepare=lambda n: ("-S", f"lr={n + 1}")
            ),
        },
        rounds := 3 if quick else 7,
    )
    found = json.loads(_said(ours, "queue", "status", "--json"))
    if len(found) != 101 * (rounds + 1) or {entry["status"] for entry in found} != {"queued"}:
        raise Failed(f"the queue does not hold what was queued but {len(found)} entries")
    one, dvc, sweep = (costs[name].cpu_s for name in ("one", "dvc", "sweep"))
    yield Row(
        work="W3 queue one experiment, times faster than dvc",
        figure=dvc / one,
        target=QUEUEING_FASTER,
        values=milliseconds(it=one, dvc=dvc),
    )
    yield Row(
        work="W3 queue a sweep of 100, against queueing one",
        figure=sweep / one,
        target=SWEEPING,
        values=milliseconds(it=sweep, one=one),
    )


def _running(directory: Path, *, quick: bool) -> Iterator[Row]:
    sweeps = _Sweeps(up_to_date(two_stages(directory / "exprun")))
    floor = up_to_date(two_stages(directory / "xargs"))
    sizes = [(8, 8), (32, 1), (32, 2), (32, 8), (100, 8)]
    rounds = 1 if quick else 4
    commands = {}
    for count, jobs in sizes:
        commands[f"{count} {jobs}"] = sweeps.run(count, jobs)
        commands[f"{count} {jobs} xargs"] = _xargs(floor, count, jobs)
    costs = interleaved(commands, rounds)
    runs = {"train": len(sweeps.owed)}
    require_experiments(sweeps.bench, sweeps.owed, runs=runs)
    require_applicable(sweeps.bench, next(reversed(sweeps.owed)))
    each = _dvc_each(directory / "dvc", 2 if quick else 8)
    for count, jobs in sizes:
        it, xargs = costs[f"{count} {jobs}"], costs[f"{count} {jobs} xargs"]
        aimed = jobs == 8
        yield Row(
            work=f"W3 run-all, n = {count}, j = {jobs}, against xargs -P{jobs}",
            figure=it.cpu_s / xargs.cpu_s,
            target=NEAR_XARGS.get(count) if aimed else None,
            values=milliseconds(it=it.cpu_s, floor=xargs.cpu_s, wall=it.wall_s),
        )
        yield Row(
            work=f"W3 run-all, n = {count}, j = {jobs}, times faster than dvc (scaled)",
            figure=each * count / it.cpu_s,
            target=FASTER.get(count) if aimed else None,
            values=milliseconds(it=it.cpu_s, dvc_each=each),
        )
    slope = _slope(costs, "8 8", "100 8") - _slope(costs, "8 8 xargs", "100 8 xargs")
    yield Row(
        work="W3 overhead per experiment, j = 8", figure=slope * 1000, target=OVERHEAD, unit=" ms"
    )


def _slope(costs: dict[str, Cost], few: str, many: str) -> float:
    return (costs[many].cpu_s - costs[few].cpu_s) / (100 - 8)


def _xargs(bench: Bench, count: int, jobs: int) -> Command:
    """The same commands, each in a directory with the files that they need."""

    def prepare(number: int) -> Sequence[str]:
        at = bench.place.outside / f"{count}-{jobs}-{number}"
        return ("-c", WITHOUT_EXPRUN.format(first=1, last=count, jobs=jobs, at=at))

    return bench.command("sh", prepare=prepare)


def _dvc_each(directory: Path, count: int) -> float:
    """What DVC takes for one of a few experiments: it has no better slope with many."""
    bench = up_to_date(two_stages(directory))
    for number in range(count):
        bench.dvc("exp", "run", "--queue", "-S", f"lr={number + 1}", "-n", f"d{number + 1}")
    cost = measure(bench.real_dvc("exp", "run", "--run-all", "-j", "2"))
    owed = {f"d{number + 1}": number + 1 for number in range(count)}
    require_experiments(bench, owed, runs={"train": count})
    return cost.cpu_s / count


def _status(directory: Path, entries: int) -> Row:
    bench = up_to_date(two_stages(directory))
    head = bench.git("rev-parse", "HEAD").strip()
    queue = Queue(str(bench.root / ".dvc" / "tmp" / "exprun" / "queue"))
    drafts = [
        Draft(
            name=f"e{n}",
            baseline=head,
            commit=head,
            batch="0" * 16,
            spec=ExperimentSpec(name=f"e{n}"),
        )
        for n in range(entries)
    ]
    added = sum(1 for _ in queue.add(drafts, Names(taken=(), make=str)))
    if added != len(json.loads(_said(bench, "queue", "status", "--json"))):
        raise Failed("queue status does not tell of every entry")
    commands = {
        "start-up": bench.exprun("queue", "status", "--help"),
        "status": bench.exprun("queue", "status", "--json"),
    }
    costs = interleaved(commands, 5)
    beyond = costs["status"].cpu_s - costs["start-up"].cpu_s
    return Row(
        work=f"queue status --json of {entries} entries, beyond start-up",
        figure=beyond * 1000,
        target=ANSWERING,
        unit=" ms",
        values=milliseconds(it=costs["status"].cpu_s, start=costs["start-up"].cpu_s),
    )


def _said(bench: Bench, *arguments: str) -> str:
    measure(bench.exprun(*arguments))
    return (bench.root.parent / "output").read_text()
