"""``exprun branch``: make a branch of an experiment."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser
from exprun.errors import UsageError
from exprun.git.experiment_refs import ExperimentRef
from exprun.results.handling import branch, find_one
from exprun.results.history import History
from exprun.results.unfinished import commit_of, find_unfinished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.results.handling import Stored
    from exprun.runner.opening import Opened


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Make the branch."""
    namespace = _parser().parse_args(arguments)
    opened = open_here(cwd)
    experiment = _find(opened, namespace.experiment)
    name = branch(opened.repository, experiment, namespace.branch)
    sys.stdout.write(
        f"Git branch '{name}' has been created from experiment '{experiment[0].name}'.\n"
        f"To switch to the new branch run:\n\n\tgit checkout {shlex.quote(name)}\n"
    )
    return exits.OK


def _find(opened: Opened, name: str) -> Stored:
    """The experiment of that name, with or without a result."""
    history = History(opened.repository)
    try:
        return find_one(opened.repository, history, name)
    except UsageError:
        found = find_unfinished(opened, name, head=history.head.commit)
        if found is None:
            raise
        return ExperimentRef(found.baseline, found.name), commit_of(found)


def _parser() -> PlainParser:
    parser = PlainParser("branch", "Make a Git branch of an experiment.")
    parser.add_argument("experiment", help="its name, full ref or commit")
    parser.add_argument("branch", nargs="?", help="default: the experiment's name and '-branch'")
    return parser
