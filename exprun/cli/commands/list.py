"""``exprun list``: the stored experiments, by baseline."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import Parser, add_baseline_options
from exprun.results.handling import experiments_of
from exprun.results.history import History

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Print them."""
    namespace = _parser().parse_args(arguments)
    repository = open_here(cwd).repository
    history = History(repository)
    baselines = (
        None if namespace.all_commits else history.back(namespace.rev or ["HEAD"], namespace.num)
    )
    found = experiments_of(repository, baselines)
    if namespace.name_only or namespace.sha_only:
        rows = [stored for experiments in found.values() for stored in experiments]
        sys.stdout.writelines(
            f"{ref.name if namespace.name_only else commit}\n" for ref, commit in rows
        )
        return exits.OK
    names = history.names(found)
    for baseline, experiments in found.items():
        sys.stdout.write(f"{names[baseline] or baseline[:7]}:\n")
        sys.stdout.writelines(f"\t{commit[:7]} [{ref.name}]\n" for ref, commit in experiments)
    return exits.OK


def _parser() -> Parser:
    parser = Parser("list", "List stored experiments.")
    add_baseline_options(parser, "list")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--name-only", "--names-only", action="store_true", help="only the names")
    only.add_argument("--sha-only", "--shas-only", action="store_true", help="only the commits")
    return parser
