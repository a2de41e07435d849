"""W2: one experiment of two tiny stages, beside DVC's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.measuring import Failed, interleaved, measure
from benchmarks.projects import Bench, two_stages
from benchmarks.report import Row, Target, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FASTER = Target(reach=5, stretch=8, at_least=True)


def experiment(directory: Path, *, quick: bool) -> Iterator[Row]:
    rounds = 3 if quick else 7
    ours, theirs = two_stages(directory / "exprun"), two_stages(directory / "dvc")
    for bench in (ours, theirs):
        measure(bench.exprun("repro"))
        bench.commit()
        (bench.runs).unlink()
    commands = {
        "exprun": ours.exprun("run", prepare=_next_value),
        "dvc": theirs.real_dvc("exp", "run", prepare=_next_value),
    }
    if not quick:
        isolated = two_stages(directory / "isolated")
        measure(isolated.exprun("repro"))
        isolated.commit()
        commands["exprun --temp"] = isolated.exprun("run", "--temp", prepare=_next_value)
    costs = interleaved(commands, rounds)
    for bench in (ours, theirs):
        _require_results(bench, rounds)
    dvc = costs.pop("dvc")
    for name, cost in costs.items():
        yield Row(
            work=f"W2 one experiment ({name}), times faster than dvc exp run",
            figure=dvc.cpu_s / cost.cpu_s,
            target=FASTER,
            values=milliseconds(
                it=cost.cpu_s, dvc=dvc.cpu_s, wall=cost.wall_s, dvc_wall=dvc.wall_s
            ),
        )


def _next_value(number: int) -> Sequence[str]:
    return ("-S", f"lr={number + 1}", "-n", f"e{number + 1}")


def _require_results(bench: Bench, rounds: int) -> None:
    """Every commit holds its metrics, and only the stage that had to run did run."""
    bench.require_clean()
    refs = bench.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    found = {}
    for ref in refs:
        if ref.count("/") == 4:
            found[ref.rsplit("/", 1)[-1]] = json.loads(bench.git("show", f"{ref}:metrics.json"))
    owed = {f"e{number}": {"lr": number} for number in range(1, rounds + 2)}
    if found != owed:
        raise Failed(f"the commits hold {found}, not {owed}")
    runs = (bench.runs).read_text().split()
    if runs != ["train"] * (rounds + 1):
        raise Failed(f"these stages ran: {runs}")
