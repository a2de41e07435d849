"""Tables and JSON on standard output."""

from __future__ import annotations

import json
import sys
import unicodedata
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDE = frozenset("WF")
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def write_json(value: object) -> None:
    """One JSON document; times and the like as text."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(value, indent=indent, default=_text) + "\n")


def _text(value: object) -> object:
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if isoformat is not None else str(value)


def can_print(text: str) -> bool:
    """Whether standard output has these characters, which depends on the locale."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def write_csv(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The table as DVC writes it: quoted where needed, lines ended by CR LF."""
    import csv

    writer = csv.writer(sys.stdout)
    writer.writerow(headers)
    writer.writerows(rows)


def plain_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to equal width, two spaces apart: what pipes and files get."""
    headers, rows = _laid_out(headers, rows)
    widths = _widths(headers, rows)
    return "".join(_line(row, widths, "  ").rstrip() + "\n" for row in (headers, *rows))


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table for GitHub, an empty line after it."""
    headers, rows = _laid_out(headers, rows)
    widths = _widths(headers, rows)
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|\n"
    lines = [f"| {_line(row, widths, ' | ')} |\n" for row in (headers, *rows)]
    return "".join([lines[0], rule, *lines[1:]]) + "\n"


def cell_lines(text: str) -> list[str]:
    """What a cell shows, line by line; what would move the cursor or colour the rest is spelled."""
    return [line.translate(_CONTROLS) for line in text.expandtabs().splitlines()] or [""]


def _laid_out(
    headers: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[Sequence[str], list[Sequence[str]]]:
    """The table with as many rows for each as its longest cell has lines."""
    spread = [part for row in rows for part in _spread(row)]
    return [" ".join(cell_lines(header)) for header in headers], spread


def _spread(row: Sequence[str]) -> Iterable[Sequence[str]]:
    if all(map(str.isprintable, row)):
        return [row]
    return zip_longest(*map(cell_lines, row), fillvalue="")


def _line(row: Sequence[str], widths: Sequence[int], gap: str) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
    return gap.join(padded)


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """What each column needs; headers get two more, as in DVC's tables."""
    columns = list(zip(*rows, strict=True)) or [()] * len(headers)
    return [
        max([_width(header) + 2, *map(_width, column)])
        for header, column in zip(headers, columns, strict=True)
    ]


def _width(text: str) -> int:
    """The columns that a terminal needs for `text`."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1
