"""A table for a terminal, with rich, which is slow to import and to draw long tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.results.columns import Table

_HEADER = {"metrics": "cornsilk1", "params": "light_cyan1", "deps": "plum2"}


def write_styled(table: Table, bold: Sequence[bool]) -> None:
    """Print the table on the terminal; `bold` tells which rows stand out."""
    drawn = RichTable(box=box.HORIZONTALS)
    for header in table.headers:
        kind = table.kinds.get(header)
        drawn.add_column(
            Text(header),
            justify="right" if kind == "metrics" else "left",
            header_style=f"black on {_HEADER.get(kind or '', 'grey93')}",
            no_wrap=header == "Experiment" or kind == "metrics",
        )
    for row, is_bold in zip(table.rows, bold, strict=True):
        drawn.add_row(*map(Text, row), style="bold" if is_bold else None)
    Console().print(drawn)
