"""``exprun rename``: give an experiment another name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser
from exprun.errors import UsageError
from exprun.results.handling import find_all, rename
from exprun.results.unfinished import find_unfinished, standing
from exprun.runner.queues import open_queue

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Rename it."""
    namespace = _parser().parse_args(arguments)
    opened = open_here(cwd)
    repository, old = opened.repository, namespace.experiment
    try:
        if not namespace.force:
            [(ref, _)] = find_all(repository, [old])
            open_queue(opened).check_name(ref.baseline, namespace.name)
        renamed = rename(repository, old, namespace.name, replace=namespace.force)
    except UsageError:
        found = find_unfinished(opened, old, head=repository.head().commit)
        if found is None:
            raise
        now = standing(found)
        raise UsageError(f"experiment '{old}' has no result to be renamed: it is {now}") from None
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
