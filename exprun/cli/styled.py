"""A table for a terminal, with rich, which is slow to import and to draw long tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from exprun.cli.render import cell_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exprun.results.columns import Table

    Page = Callable[[str], None]

_HEADER = {"metrics": "cornsilk1", "params": "light_cyan1", "deps": "plum2"}
_WIDEST = 1 << 14
_FRAME = 5  # What a table has of lines besides its rows, and the prompt that comes after it.


def write_styled(table: Table, bold: Sequence[bool], *, page: Page | None) -> None:
    """Print the table on the terminal; `bold` tells which rows stand out.

    One that does not fit is handed to `page`; without it, its cells are cut.
    """
    drawn = RichTable(box=box.HORIZONTALS)
    for header in table.headers:
        kind = table.kinds.get(header)
        drawn.add_column(
            Text(" ".join(cell_lines(header))),
            justify="right" if kind == "metrics" else "left",
            header_style=f"black on {_HEADER.get(kind or '', 'grey93')}",
            no_wrap=header == "Experiment" or kind == "metrics",
        )
    for row, is_bold in zip(table.rows, bold, strict=True):
        cells = (Text("\n".join(cell_lines(cell))) for cell in row)
        drawn.add_row(*cells, style="bold" if is_bold else None)
    console = Console()
    width = console.measure(drawn, options=console.options.update(max_width=_WIDEST)).maximum
    if page is None or (width <= console.width and len(table.rows) + _FRAME <= console.height):
        console.print(drawn)
        return
    wide = Console(width=max(width, console.width))
    with wide.capture() as captured:
        wide.print(drawn)
    page(captured.get())
