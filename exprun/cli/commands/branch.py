"""``exprun branch``: make a branch of an experiment."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser
from exprun.results.handling import branch
from exprun.results.history import History

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Make the branch."""
    namespace = _parser().parse_args(arguments)
    repository = open_here(cwd).repository
    ref, name = branch(repository, History(repository), namespace.experiment, namespace.branch)
    sys.stdout.write(
        f"Git branch '{name}' has been created from experiment '{ref.name}'.\n"
        f"To switch to the new branch run:\n\n\tgit checkout {shlex.quote(name)}\n"
    )
    return exits.OK


def _parser() -> PlainParser:
    parser = PlainParser("branch", "Make a Git branch of an experiment.")
    parser.add_argument("experiment", help="its name, full ref or commit")
    parser.add_argument("branch", nargs="?", help="default: the experiment's name and '-branch'")
    return parser
