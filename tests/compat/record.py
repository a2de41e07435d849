"""`python -m tests.compat.record`: make, or make again and compare, DVC's answers to all cases.

The records are facts about DVC 3.67.1, made by it and by nothing else: never edit one by hand.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.compat.cases import all_cases
from tests.compat.differences import differences
from tests.compat.play import play
from tests.support.project import Builder
from tests.support.tools import Tool, dvc_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.compat.case import Case
    from tests.compat.play import Record

DIRECTORY = Path(__file__).parent / "records"


def path_of(case: Case) -> Path:
    """Where the record of `case` is kept."""
    return DIRECTORY / f"{case.name}.json"


def load(case: Case) -> Record:
    """DVC's recorded answer to `case`."""
    record: Record = json.loads(path_of(case).read_text())
    return record


def dump(record: Record) -> str:
    """The text of a record: stable, and short enough to read in a review."""
    return json.dumps(record, indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    cases = [case for case in all_cases() if options.keyword in case.name]
    random.Random(options.seed).shuffle(cases)
    deadline = time.monotonic() + options.budget
    played = wrong = 0
    for case, record in _play_all(cases, deadline, jobs=options.jobs):
        played += 1
        if options.check:
            wrong += not _agrees(case, record)
        else:
            path_of(case).write_text(dump(record))
    verb = "compared" if options.check else "recorded"
    sys.stdout.write(f"{verb} {played} of {len(cases)} cases, {wrong} differ\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.compat.record", description=__doc__)
    parser.add_argument("-k", dest="keyword", default="", help="only cases with this in their name")
    parser.add_argument("--check", action="store_true", help="compare with the stored records")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--budget", type=float, default=3600.0, help="start none after this (s)")
    parser.add_argument("--seed", default="0", help="order of the cases, for short budgets")
    return parser


def _agrees(case: Case, record: Record) -> bool:
    if not path_of(case).exists():
        sys.stdout.write(f"{case.name}: no record\n")
        return False
    found = differences(load(case), record, names=("recorded", "now"))
    if found:
        sys.stdout.write(f"{case.name}:\n{found}\n")
    return not found


def _play_all(cases: list[Case], deadline: float, *, jobs: int) -> Iterator[tuple[Case, Record]]:
    waiting = iter(cases)

    def worker(number: int) -> list[tuple[Case, Record]]:
        done = []
        with tempfile.TemporaryDirectory() as directory, dvc_tool() as dvc:
            builder = Builder(Path(directory), dvc)
            for case in waiting:
                if time.monotonic() > deadline:
                    break
                done.append((case, _play_one(case, dvc, builder)))
        return done

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for results in pool.map(worker, range(jobs)):
            yield from results


def _play_one(case: Case, dvc: Tool, builder: Builder) -> Record:
    try:
        return play(case, tool=dvc, dvc=dvc, builder=builder)
    except BaseException:
        sys.stderr.write(f"while playing {case.name}:\n")
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
