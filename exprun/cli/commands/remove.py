"""``exprun remove``: remove stored experiments."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import Parser, add_baseline_options
from exprun.errors import UsageError
from exprun.git.experiment_refs import list_experiments
from exprun.results.handling import experiments_of, find_all, remove
from exprun.results.history import History

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exprun.git.repository import Repository
    from exprun.results.handling import Stored


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Remove all that were named, or none."""
    namespace = _parser().parse_args(arguments)
    if bool(namespace.experiments) == bool(namespace.all_commits or namespace.rev):
        raise UsageError(
            "either name experiments, or use --rev or --all-commits",
            hint="exprun remove NAME ... | --rev COMMIT [-n N] | -A",
        )
    repository = open_here(cwd).repository
    chosen = _chosen(repository, namespace)
    if namespace.keep:
        kept = {ref for ref, _ in chosen}
        chosen = [stored for stored in list_experiments(repository.refs) if stored[0] not in kept]
    remove(repository, chosen)
    if chosen:
        names = [repr(ref.name) for ref, _ in chosen]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        sys.stdout.write(f"Removed experiments: {listed}\n")
    else:
        sys.stdout.write("No experiments to remove.\n")
    return exits.OK


def _chosen(repository: Repository, namespace: argparse.Namespace) -> list[Stored]:
    if namespace.experiments:
        return find_all(repository, list(dict.fromkeys(namespace.experiments)))
    baselines = (
        None if namespace.all_commits else History(repository).back(namespace.rev, namespace.num)
    )
    found = experiments_of(repository, baselines)
    return [stored for experiments in found.values() for stored in experiments]


def _parser() -> Parser:
    parser = Parser("remove", "Remove stored experiments.")
    parser.add_argument("experiments", nargs="*", metavar="experiment", help="names or full refs")
    add_baseline_options(parser, "remove", default=False)
    parser.add_argument("--keep", action="store_true", help="remove all others instead")
    return parser
