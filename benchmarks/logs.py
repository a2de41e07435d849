"""W10: a stage that prints a million lines, beside writing them to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measuring import Failed, interleaved, measure
from benchmarks.projects import require_experiments, two_stages, up_to_date
from benchmarks.report import Row, Target, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.measuring import Command
    from benchmarks.projects import Bench

PRINTING = Target(reach=1.15, stretch=1.02)
LINE = "epoch 1, step 100, loss 0.123456789, accuracy 0.987654321, elapsed 12.3 s, lr 1"

WAYS = {"run": ("run",), "run --temp": ("run", "--temp"), "run-all": ("run", "--run-all", "-q")}


def logs(directory: Path, *, quick: bool) -> Iterator[Row]:
    lines = 200_000 if quick else 1_000_000
    text = f"yes '{LINE}' | head -n {lines}"
    loud = up_to_date(two_stages(directory / "loud", second=text))
    silent = up_to_date(two_stages(directory / "silent"))
    for name, arguments in WAYS.items():
        runs = _Runs(name, arguments)
        costs = interleaved(
            {
                "loud": runs.command(loud),
                "silent": runs.command(silent),
                "file": loud.command("sh", "-c", f"{text} > ../outside/text"),
            },
            rounds=2 if quick else 5,
        )
        over, floor = costs["loud"].cpu_s - costs["silent"].cpu_s, costs["file"].cpu_s
        yield Row(
            work=f"W10 {lines} lines ({name}), over the silent run, against writing to a file",
            figure=over / floor,
            target=PRINTING,
            values=milliseconds(it=over, floor=floor),
        )
    _require_results(loud, lines)


class _Runs:
    """Runs of one way, each an experiment of its own."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self._first = 1 + 1000 * list(WAYS).index(name)
        self._arguments = arguments

    def command(self, bench: Bench) -> Command:
        def prepare(number: int) -> Sequence[str]:
            value = self._first + number
            wanted = ("-S", f"lr={value}", "-n", f"e{value}")
            if "--run-all" not in self._arguments:
                return wanted
            measure(bench.exprun("run", "--queue", *wanted))
            return ()

        return bench.exprun(*self._arguments, prepare=prepare)


def _require_results(bench: Bench, lines: int) -> None:
    """Every experiment is stored, and each of their logs has all that was printed."""
    refs = bench.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    names = [ref.rsplit("/", 1)[-1] for ref in refs if ref.count("/") == 4]
    owed = {name: int(name[1:]) for name in names}
    require_experiments(bench, owed, runs={"train": len(owed)})
    found = list((bench.root / ".dvc" / "tmp" / "exprun").rglob("train.log"))
    sizes = {file.stat().st_size for file in found}
    # One more is from making the project.
    if len(found) != len(owed) + 1 or sizes != {lines * (len(LINE) + 1)}:
        raise Failed(f"{len(found)} logs of {sizes} bytes")
