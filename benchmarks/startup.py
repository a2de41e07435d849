"""W1: commands that have nothing to do, beside Python itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measuring import interleaved, measure
from benchmarks.projects import two_stages
from benchmarks.report import Row, Target, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKING = Target(reach=1.8, stretch=1.3)
NOTHING_TO_DO = Target(reach=4, stretch=2.5)


def startup(directory: Path, *, quick: bool) -> Iterator[Row]:
    bench = two_stages(directory / "startup")
    measure(bench.exprun("repro"))
    bench.require_clean()
    ours = {
        "--version": ASKING,
        "--help": ASKING,
        "status": NOTHING_TO_DO,
        "repro": NOTHING_TO_DO,
    }
    commands = {"pass": bench.python("-c", "pass")}
    commands |= {f"exprun {name}": bench.exprun(name) for name in ours}
    if not quick:
        commands |= {f"dvc {name}": bench.real_dvc(name) for name in ("--version", "status")}
    costs = interleaved(commands, rounds=5 if quick else 15)
    floor = costs.pop("pass").cpu_s
    for name, cost in costs.items():
        yield Row(
            work=f"W1 {name}, against python -c pass",
            figure=cost.cpu_s / floor,
            target=ours.get(name.removeprefix("exprun ")) if name.startswith("exprun") else None,
            values=milliseconds(it=cost.cpu_s, floor=floor),
        )
