"""``exprun show``: the workspace, baselines and experiments with what they hold."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.cli.opening import open_here
from exprun.cli.parsing import PlainParser, add_baseline_options, digits
from exprun.cli.render import can_print, markdown_table, plain_table, write_csv, write_json
from exprun.results.columns import Style, Table, build_table, select_columns
from exprun.results.table import Results, Wanted
from exprun.results.unfinished import FAILED, INTERRUPTED, QUEUED, UnfinishedExperiments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_TREE = {"branch_commit": "├── ", "branch_base": "└── ", "baseline": ""}
_PLAIN_TREE = {"branch_commit": "|-- ", "branch_base": "`-- ", "baseline": ""}
_KEYS = ("Experiment", "rev", "typ", "parent")
_MOST_STYLED_ROWS = 300


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Print the table."""
    namespace = _parser().parse_args(arguments)
    opened = open_here(cwd)
    wanted = Wanted(
        revs=tuple(namespace.rev or ()),
        count=namespace.num,
        all_branches=namespace.all_branches,
        all_tags=namespace.all_tags,
        all_commits=namespace.all_commits,
    )
    results = Results(opened, fresh=namespace.force, param_deps=namespace.param_deps)
    hidden = {QUEUED} if namespace.hide_queued else set()
    hidden |= {FAILED, INTERRUPTED} if namespace.hide_failed else set()
    states = results.table(
        wanted,
        workspace=not namespace.hide_workspace,
        named=not namespace.sha,
        unfinished=[UnfinishedExperiments(opened, results, hidden=frozenset(hidden))],
    )
    if namespace.json:
        write_json(states)
        return exits.OK
    table = build_table(states, _style(namespace))
    kinds = table.column("typ")
    if not namespace.csv:
        _join_keys(table)
    select_columns(
        table, only_changed=namespace.only_changed, drop=namespace.drop, keep=namespace.keep
    )
    if namespace.csv:
        write_csv(table.headers, table.rows)
        return exits.OK
    if namespace.markdown:
        sys.stdout.write(markdown_table(table.headers, table.rows))
    elif sys.stdout.isatty():
        bold = [kind == "baseline" for kind in kinds]
        _show_on_terminal(table, bold, is_paged=not namespace.no_pager)
    else:
        sys.stdout.write(plain_table(table.headers, table.rows))
    return exits.OK


def _show_on_terminal(table: Table, bold: Sequence[bool], *, is_paged: bool) -> None:
    from exprun.cli.pager import page

    can_page = is_paged and os.environ.get("TERM", "dumb") != "dumb"
    pager = partial(page, env=os.environ) if can_page else None
    if len(table.rows) <= _MOST_STYLED_ROWS:
        from exprun.cli.styled import write_styled

        write_styled(table, bold, page=pager)
    else:
        (pager or sys.stdout.write)(plain_table(table.headers, table.rows))


def _style(namespace: argparse.Namespace) -> Style:
    precision = namespace.precision or (None if namespace.csv else 5)
    return Style(
        fill="" if namespace.csv else "-",
        precision=precision,
        iso_times=namespace.csv,
        sort_by=namespace.sort_by,
        descending=namespace.sort_order == "desc",
    )


def _join_keys(table: Table) -> None:
    """Make one column of an experiment's name, its commit and its place in the tree."""
    tree = _TREE if can_print("".join(_TREE.values())) else _PLAIN_TREE
    for row in table.rows:
        name, rev, kind, parent = (row[table.headers.index(key)] for key in _KEYS)
        text = f"{rev} [{name}]" if name and kind != "baseline" else name or rev
        suffix = f" ({parent})" if parent else ""
        row[table.headers.index("Experiment")] = f"{tree[kind]}{text}{suffix}"
    table.drop(_KEYS[1:])


def _parser() -> PlainParser:
    parser = PlainParser("show", "Show the workspace and experiments with parameters and metrics.")
    add_baseline_options(parser, "show")
    add = parser.add_argument
    add("-a", "--all-branches", action="store_true", help="start from the tips of all branches")
    add("-T", "--all-tags", action="store_true", help="start from all tags")
    add("--json", action="store_true", help="print JSON, in the schema of `dvc exp show --json`")
    add("--csv", action="store_true", help="print comma-separated values")
    add("--md", action="store_true", dest="markdown", help="print a Markdown table")
    add("--only-changed", action="store_true", help="leave out columns that are equal everywhere")
    add("--drop", action="append", default=[], metavar="REGEX", help="leave out these columns")
    add(
        "--keep",
        action="append",
        default=[],
        metavar="REGEX",
        help="leave these columns in",
    )
    add("--param-deps", action="store_true", help="only parameters that stages depend on")
    add("--sort-by", metavar="COLUMN", help="sort by a metric or parameter")
    add("--sort-order", choices=("asc", "desc"), default="asc", help="default: asc")
    add("--sha", action="store_true", help="show commits, not the names of branches and tags")
    add("--hide-queued", action="store_true", help="leave out what waits to be run")
    add("--hide-failed", action="store_true", help="leave out what has failed or was stopped")
    add("--hide-workspace", action="store_true", help="leave the workspace out")
    add("--precision", type=digits, metavar="N", help="digits of numbers (default: 5)")
    add("-f", "--force", action="store_true", help="read every commit again")
    add("--no-pager", action="store_true", help="cut what is wider than the terminal instead")
    return parser
