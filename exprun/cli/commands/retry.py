"""``exprun retry``: run experiments again that have failed or were stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.cli.event_files import settle_event_files
from exprun.cli.opening import open_here
from exprun.cli.parsing import Parser, add_failure_options, add_job_options, add_talk_options
from exprun.cli.run_all import run_again

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Run the named experiments of the queue again."""
    parser = Parser("retry", "Run experiments again that have failed or were stopped.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="names or ids of experiments")
    add_failure_options(parser)
    add_job_options(parser)
    add_talk_options(parser)
    namespace = parser.parse_args(arguments)
    settle_event_files(namespace, cwd)
    return run_again(open_here(cwd), namespace, namespace.names)
