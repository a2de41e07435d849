"""`python -m benchmarks [NAME...] [--quick]`: measure, and print ratios beside their targets.

Nothing fails for being slow. A wrong result does: exit code 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data import data
from benchmarks.experiment import experiment
from benchmarks.footprint import footprint
from benchmarks.logs import logs
from benchmarks.measuring import Failed, adopt_orphans
from benchmarks.parallel import parallel
from benchmarks.queue import queue
from benchmarks.report import Row, table
from benchmarks.scale import scale
from benchmarks.startup import startup
from benchmarks.status import status
from benchmarks.stored import stored

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKS = {
    "startup": startup,
    "experiment": experiment,
    "status": status,
    "data": data,
    "queue": queue,
    "parallel": parallel,
    "logs": logs,
    "footprint": footprint,
    "scale": scale,
    "stored": stored,
}


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    unknown = set(options.names) - set(WORKS)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))} (there are {', '.join(WORKS)})")
    adopt_orphans()
    rows: list[Row] = []
    for name in options.names or WORKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="exprun-bench-") as directory:
            try:
                rows.extend(WORKS[name](Path(directory), quick=options.quick))
            except Failed as error:
                print(f"{name}: wrong result, no figures: {error}", file=sys.stderr)
                return 1
    print(table(rows), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(WORKS))
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds: a smoke")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
