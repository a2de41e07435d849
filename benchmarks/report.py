"""Figures beside what was hoped for, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure to reach and a better one to stretch for. `at_least`: more is better."""

    reach: float
    stretch: float | None = None
    at_least: bool = False
    unit: str = "x"

    def verdict(self, figure: float) -> str:
        """How `figure` stands."""
        if self.stretch is not None and self._meets(figure, self.stretch):
            return "stretch met"
        return "met" if self._meets(figure, self.reach) else "MISSED"

    def _meets(self, figure: float, aim: float) -> bool:
        return figure >= aim if self.at_least else figure <= aim

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        stretch = "" if self.stretch is None else f" ({sign} {self.stretch:g}{self.unit})"
        return f"{sign} {self.reach:g}{self.unit}{stretch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure, and the measured values it comes from."""

    work: str
    figure: float
    target: Target | None = None
    values: str = ""
    unit: str = "x"


def table(rows: Iterable[Row]) -> str:
    """The rows as aligned text. A stretch target stands in brackets."""
    cells = [("work", "figure", "target", "", "measured")]
    for row in rows:
        target = str(row.target) if row.target else ""
        verdict = row.target.verdict(row.figure) if row.target else ""
        cells.append((row.work, f"{row.figure:.3g}{row.unit}", target, verdict, row.values))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]]) + "\n"


def milliseconds(**values: float) -> str:
    """``exprun 20 ms, floor 10 ms`` for the row's last column."""
    return ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in values.items())
