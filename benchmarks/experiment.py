"""W2: one experiment of two tiny stages, beside DVC's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measuring import interleaved
from benchmarks.projects import Bench, require_experiments, two_stages, up_to_date
from benchmarks.report import Row, Target, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FASTER = Target(reach=5, stretch=8, at_least=True)


def experiment(directory: Path, *, quick: bool) -> Iterator[Row]:
    rounds = 3 if quick else 7
    ours = up_to_date(two_stages(directory / "exprun"))
    theirs = up_to_date(two_stages(directory / "dvc"))
    commands = {
        "exprun": ours.exprun("run", prepare=_next_value),
        "dvc": theirs.real_dvc("exp", "run", prepare=_next_value),
    }
    if not quick:
        isolated = up_to_date(two_stages(directory / "isolated"))
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
    owed = {f"e{number}": number for number in range(1, rounds + 2)}
    require_experiments(bench, owed, runs={"train": rounds + 1})
