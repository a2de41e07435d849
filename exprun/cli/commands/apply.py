"""``exprun apply``: bring an experiment into the workspace, or take that back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.messages import warn
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser
from exprun.errors import UsageError
from exprun.results.apply import apply, undo

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Apply it."""
    namespace = _parser().parse_args(arguments)
    if bool(namespace.experiment) == namespace.undo:
        raise UsageError("name an experiment, or use --undo", hint="exprun apply EXPERIMENT")
    opened = open_here(cwd)
    if namespace.undo:
        applied = undo(opened)
        sys.stdout.write(
            "The workspace is as it was before.\n"
            "To go back to what it was just now, run:\n\n\texprun apply --undo\n"
        )
    else:
        applied = apply(opened, namespace.experiment)
        sys.stdout.write(
            f"Changes for experiment '{namespace.experiment}' have been applied to your current "
            "workspace.\n"
            f"What it held before is kept as {applied.kept.ref}; to bring it back, run:\n\n"
            "\texprun apply --undo\n"
        )
    for problem in applied.problems:
        warn(problem)
    return exits.FAILED if applied.problems else exits.OK


def _parser() -> PlainParser:
    parser = PlainParser(
        "apply",
        "Bring an experiment into the workspace. What that held before is kept for 30 days, and "
        "longer if it is among the last ten such states.",
    )
    add = parser.add_argument
    add("experiment", nargs="?", help="its name, full ref or commit; or any other revision")
    add("--undo", action="store_true", help="bring back what the last apply replaced")
    return parser
