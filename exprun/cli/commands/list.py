"""``exprun list``: the stored experiments, by baseline."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser, add_baseline_options
from exprun.queue.records import State
from exprun.results.handling import experiments_of
from exprun.results.history import History
from exprun.results.unfinished import commit_of, standing
from exprun.runner.queues import open_queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.queue.records import Entry


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Print them."""
    namespace = _parser().parse_args(arguments)
    opened = open_here(cwd)
    repository = opened.repository
    history = History(repository)
    baselines = (
        None if namespace.all_commits else history.back(namespace.rev or ["HEAD"], namespace.num)
    )
    found = experiments_of(repository, baselines, warn=opened.warn)
    if namespace.name_only or namespace.sha_only:
        rows = [stored for experiments in found.values() for stored in experiments]
        sys.stdout.writelines(
            f"{ref.name if namespace.name_only else commit}\n" for ref, commit in rows
        )
        return exits.OK
    lines = {
        baseline: [f"\t{commit[:7]} [{ref.name}]\n" for ref, commit in experiments]
        for baseline, experiments in found.items()
    }
    for entry in open_queue(opened).unfinished():
        if baselines is None or entry.baseline in baselines:
            lines.setdefault(entry.baseline, []).append(_unfinished_row(entry))
    names = history.names(lines)
    for baseline, listed in lines.items():
        sys.stdout.write(f"{names[baseline] or baseline[:7]}:\n")
        sys.stdout.writelines(listed)
    return exits.OK


def _unfinished_row(entry: Entry) -> str:
    reason = f" ({entry.reason})" if entry.state is State.FAILED else ""
    return f"\t{commit_of(entry)[:7]} [{entry.name}] {standing(entry)}{reason}\n"


def _parser() -> PlainParser:
    parser = PlainParser("list", "List stored experiments.")
    add_baseline_options(parser, "list")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--name-only", "--names-only", action="store_true", help="only the names")
    only.add_argument("--sha-only", "--shas-only", action="store_true", help="only the commits")
    return parser
