"""``exprun diff``: how the metrics and parameters of two experiments differ."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser, digits
from exprun.cli.render import markdown_table, plain_table, write_json
from exprun.results.columns import format_value
from exprun.results.differences import compare_states
from exprun.results.table import Results
from exprun.results.unfinished import resolve

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exprun.results.differences import Differences

_PRECISION = 5


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Print the differences."""
    namespace = _parser().parse_args(arguments)
    opened = open_here(cwd)
    results = Results(opened, param_deps=namespace.param_deps)
    old = results.commit(resolve(opened, results.history, namespace.a_rev or "HEAD"))
    if namespace.b_rev:
        new = results.commit(resolve(opened, results.history, namespace.b_rev))
    else:
        new = results.workspace()
    differences = compare_states(old, new, unchanged=namespace.all)
    if namespace.json:
        write_json(differences)
        return exits.OK
    precision = namespace.precision or _PRECISION
    sys.stdout.write(_table(differences["metrics"], "Metric", precision, namespace))
    sys.stdout.write("\n")
    sys.stdout.write(_table(differences["params"], "Param", None, namespace))
    return exits.OK


def _table(
    differences: Differences, title: str, precision: int | None, namespace: argparse.Namespace
) -> str:
    headers = ["Path", title, namespace.a_rev or "HEAD", namespace.b_rev or "workspace", "Change"]
    rows = [
        [file, name, *_cells(change, precision)]
        for file, changes in differences.items()
        for name, change in changes.items()
    ]
    if namespace.no_path:
        headers, rows = headers[1:], [row[1:] for row in rows]
    if namespace.markdown:
        return markdown_table(headers, rows)
    return plain_table(headers, rows) if rows else ""


def _cells(change: dict[str, object], precision: int | None) -> list[str]:
    values = [change["old"], change["new"], change.get("diff", "diff not supported")]
    return ["-" if value is None else format_value(value, precision) for value in values]


def _parser() -> PlainParser:
    parser = PlainParser("diff", "Show how metrics and parameters of two experiments differ.")
    add = parser.add_argument
    add("a_rev", nargs="?", metavar="A", help="the older one (default: HEAD)")
    add("b_rev", nargs="?", metavar="B", help="the newer one (default: the workspace)")
    add("--all", action="store_true", help="show also what does not differ")
    add("--param-deps", action="store_true", help="only parameters that stages depend on")
    add("--json", action="store_true", help="print JSON, in the schema of `dvc exp diff --json`")
    add("--md", action="store_true", dest="markdown", help="print Markdown tables")
    add("--no-path", action="store_true", help="leave out the files' names")
    add("--precision", type=digits, metavar="N", help="digits of metrics (default: 5)")
    return parser
