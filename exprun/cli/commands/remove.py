"""``exprun remove``: remove stored experiments."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser, add_baseline_options
from exprun.cli.tidying import let_go_of_removed
from exprun.errors import UsageError
from exprun.git.experiment_refs import list_experiments
from exprun.queue.records import WAITING, State
from exprun.results.handling import experiments_of, find_known, remove, unknown_experiments
from exprun.results.history import History
from exprun.results.unfinished import find_unfinished
from exprun.runner.queues import open_queue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exprun.queue.records import Entry
    from exprun.results.handling import Stored
    from exprun.runner.opening import Opened


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Remove all that were named, or none."""
    namespace = _parser().parse_args(arguments)
    wanted = {State.FAILED} if namespace.failed else set()
    wanted |= WAITING if namespace.queue else set()
    if bool(namespace.experiments) == bool(namespace.all_commits or namespace.rev or wanted):
        raise UsageError(
            "either name experiments, or tell which",
            hint="exprun remove NAME ... | --rev COMMIT [-n N] | -A | --failed | --queue",
        )
    if namespace.keep and wanted:
        raise UsageError(
            "--keep does not go with --failed or --queue: it tells which results are to stay",
            hint="exprun remove --keep NAME ... | --keep --rev COMMIT [-n N]",
        )
    opened = open_here(cwd)
    repository = opened.repository
    chosen, unfinished = _chosen(opened, namespace)
    if wanted:
        unfinished += [e for e in open_queue(opened).unfinished() if e.state in wanted]
    if namespace.keep:
        kept = {ref for ref, _ in chosen}
        chosen = [stored for stored in list_experiments(repository.refs) if stored[0] not in kept]
        unfinished = []
    if unfinished:
        open_queue(opened).remove([entry.id for entry in unfinished])
        let_go_of_removed(cwd)
    remove(repository, chosen)
    if chosen or unfinished:
        names = [repr(ref.name) for ref, _ in chosen] + [repr(e.name) for e in unfinished]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        sys.stdout.write(f"Removed experiments: {listed}\n")
    else:
        sys.stdout.write("No experiments to remove.\n")
    return exits.OK


def _chosen(opened: Opened, namespace: argparse.Namespace) -> tuple[list[Stored], list[Entry]]:
    """The results, and the experiments without one, that are meant."""
    repository = opened.repository
    if namespace.experiments:
        return _named(opened, list(dict.fromkeys(namespace.experiments)))
    if not (namespace.all_commits or namespace.rev):
        return [], []
    baselines = (
        None if namespace.all_commits else History(repository).back(namespace.rev, namespace.num)
    )
    found = experiments_of(repository, baselines, warn=opened.warn)
    return [stored for experiments in found.values() for stored in experiments], []


def _named(opened: Opened, names: list[str]) -> tuple[list[Stored], list[Entry]]:
    """A name is that of a result, if there is one."""
    stored, unknown = find_known(opened.repository, names)
    head = opened.repository.head().commit
    unfinished = {name: find_unfinished(opened, name, head=head) for name in unknown}
    if missing := [name for name, entry in unfinished.items() if entry is None]:
        others = [entry.name for entry in open_queue(opened).unfinished()]
        raise unknown_experiments(opened.repository, missing, others)
    return stored, [entry for entry in unfinished.values() if entry]


def _parser() -> PlainParser:
    parser = PlainParser("remove", "Remove stored experiments.")
    parser.add_argument("experiments", nargs="*", metavar="experiment", help="names or full refs")
    add_baseline_options(parser, "remove", default=False)
    parser.add_argument("--failed", action="store_true", help="remove all that have failed")
    parser.add_argument("--queue", action="store_true", help="remove all that wait to be run")
    parser.add_argument("--keep", action="store_true", help="remove all other results instead")
    return parser
