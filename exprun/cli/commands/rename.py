"""``exprun rename``: give an experiment another name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser
from exprun.results.handling import rename

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Rename it."""
    namespace = _parser().parse_args(arguments)
    repository = open_here(cwd).repository
    renamed = rename(repository, namespace.experiment, namespace.name, replace=namespace.force)
    sys.stdout.write(
        f"Renamed experiments: {namespace.experiment!r}\n"
        if renamed
        else "No experiments to rename.\n"
    )
    return exits.OK


def _parser() -> PlainParser:
    parser = PlainParser("rename", "Give an experiment another name.")
    parser.add_argument("experiment", help="its name or full ref")
    parser.add_argument("name", help="the new name")
    parser.add_argument("-f", "--force", action="store_true", help="replace one of that name")
    return parser
