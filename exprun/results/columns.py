"""The table of ``show`` as columns of text, named and filled as ``dvc exp show`` does."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from typing import TYPE_CHECKING

from exprun.errors import UsageError
from exprun.model.near import did_you_mean
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exprun.results.state import FileValues, Range, State

_FIXED = ("Experiment", "rev", "typ", "Created", "parent", "State", "Executor")
_ERROR = "!"

Names = dict[str, dict[str, None]]
"""The names found in each file, in the order in which they were found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How cells are written. `precision` counts significant digits; None gives all."""

    fill: str = "-"
    precision: int | None = 5
    iso_times: bool = False
    sort_by: str | None = None
    descending: bool = False


@dataclass(slots=True)
class Table:
    """Rows of text under headers; `kinds` tells metrics, params and deps apart."""

    headers: list[str]
    rows: list[list[str]]
    kinds: dict[str, str] = field(default_factory=dict)

    def column(self, header: str) -> list[str]:
        at = self.headers.index(header)
        return [row[at] for row in self.rows]

    def drop(self, headers: Iterable[str]) -> None:
        """Leave these columns out."""
        gone = {at for at, header in enumerate(self.headers) if header in set(headers)}
        if gone:
            self.headers = [text for at, text in enumerate(self.headers) if at not in gone]
            self.rows = [[c for at, c in enumerate(row) if at not in gone] for row in self.rows]

    def matching(self, patterns: Sequence[str]) -> set[str]:
        """The columns whose names begin with a match of a pattern. Raises UsageError."""
        try:
            wanted = re.compile("|".join(patterns))
        except re.error as error:
            shown = " or ".join(repr(pattern) for pattern in patterns)
            raise UsageError(
                f"invalid pattern {shown}: {error}", hint="write a regular expression of Python's"
            ) from None
        return {header for header in self.headers if patterns and wanted.match(header)}


def build_table(states: Sequence[State], style: Style) -> Table:
    """All states as rows, experiments below their baselines."""
    metrics, params, deps = _collect_names(states)
    counts = Counter([*_FIXED, *_names_in(metrics), *_names_in(params)])
    known = _Columns(
        style=style,
        metrics=metrics,
        params=params,
        metric_headers=_headers(metrics, counts),
        param_headers=_headers(params, counts),
        deps=sorted(deps),
    )
    kinds = dict.fromkeys(known.deps, "deps")
    kinds |= dict.fromkeys(known.param_headers, "params")
    kinds |= dict.fromkeys(known.metric_headers, "metrics")
    table = Table(known.all, [], kinds)
    for state in states:
        table.rows += known.rows_of(state)
    return table


def select_columns(
    table: Table, *, only_changed: bool, drop: Sequence[str], keep: Sequence[str]
) -> None:
    """Leave out empty state columns and, unless kept, what is asked to be left out."""
    kept = table.matching(keep)
    empty = [
        header
        for header in ("State", "Executor")
        if not any(cell.strip("-") for cell in table.column(header))
    ]
    table.drop(set(empty) - kept)
    if only_changed:
        same = [h for h in table.headers if len(set(table.column(h))) == 1]
        table.drop(set(same) - kept)
    table.drop(table.matching(drop) - kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    style: Style
    metrics: Names
    params: Names
    metric_headers: list[str]
    param_headers: list[str]
    deps: list[str]

    @property
    def all(self) -> list[str]:
        return [*_FIXED, *self.metric_headers, *self.param_headers, *self.deps]

    def rows_of(self, state: State) -> Iterator[list[str]]:
        """The row of a baseline, and those of its experiments."""
        title = state["name"] or _short(state["rev"])
        yield self._row(state, {"Experiment": "", "rev": title, "typ": "baseline"})
        ranges = state["experiments"] or []
        ordered = self._sorted(ranges) if self.style.sort_by else ranges
        for number, range in enumerate(ordered, 1):
            if range["revs"]:
                kind = "branch_base" if number == len(ranges) else "branch_commit"
                yield self._experiment_row(range, kind)

    def _experiment_row(self, range: Range, kind: str) -> list[str]:
        tip = range["revs"][0]
        cells = {"Experiment": tip["name"] or "", "rev": _short(tip["rev"]), "typ": kind}
        if executor := range["executor"]:
            reason = tip["error"]["type"] if tip["error"] else ""
            told = f" ({reason})" if reason not in ("", executor["state"]) else ""
            cells["State"] = executor["state"].capitalize() + told
            if executor["name"]:
                cells["Executor"] = executor["name"].capitalize()
        return self._row(tip, cells)

    def _row(self, state: State, cells: dict[str, str]) -> list[str]:
        row = dict.fromkeys(self.all, self.style.fill) | {"parent": ""} | cells
        if data := state["data"]:
            row["Created"] = self._time(data["timestamp"])
            row.update(self._cells(data["metrics"], self.metrics, set(self.metric_headers)))
            row.update(self._cells(data["params"], self.params, set(self.param_headers)))
            for name in self.deps:
                if dep := data["deps"].get(name):
                    row[name] = dep["hash"] or self.style.fill
        return list(row.values())

    def _cells(
        self, values: Mapping[str, FileValues], names: Names, headers: set[str]
    ) -> Iterator[tuple[str, str]]:
        for file, found in values.items():
            flat = _flat(found, file)
            missing = _ERROR if "error" in found else self.style.fill
            for name in names.get(file, ()):
                value = flat.get(name)
                text = missing if value is None else format_value(value, self.style.precision)
                yield (name if name in headers else f"{file}:{name}"), text

    def _time(self, timestamp: str | None) -> str:
        if timestamp is None:
            return self.style.fill
        if self.style.iso_times:
            return timestamp
        made = datetime.fromisoformat(timestamp)
        today = made.date() == date.today()
        return made.strftime("%I:%M %p" if today else "%b %d, %Y")

    def _sorted(self, ranges: Sequence[Range]) -> list[Range]:
        kind, file, name = self._sort_column(self.style.sort_by or "")

        def key(range: Range) -> tuple[bool, object]:
            data = range["revs"][0]["data"] if range["revs"] else None
            values = (data["metrics"] if kind == "metrics" else data["params"]) if data else {}
            value = _flat(values[file], file).get(name) if file in values else None
            return value is None, value

        try:
            return sorted(ranges, key=key, reverse=self.style.descending)
        except TypeError:
            raise UsageError(f"'{self.style.sort_by}' holds values that have no order") from None

    def _sort_column(self, column: str) -> tuple[str, str, str]:
        """The kind, file and name that a column is meant by: ``name`` or ``file:name``."""
        every = [
            (kind, file, name)
            for kind, names in (("metrics", self.metrics), ("params", self.params))
            for file, inner in names.items()
            for name in inner
        ]
        matches = [found for found in every if f"{found[1]}:{found[2]}" == column]
        matches = matches or [found for found in every if found[2] == column.removeprefix(":")]
        if len(matches) == 1:
            return matches[0]
        listed = ", ".join(f"{file}:{name}" for _, file, name in matches)
        if matches:
            raise UsageError(f"ambiguous sort column '{column}' matched '{listed}'")
        names = dict.fromkeys(name for _, _, name in every)
        raise UsageError(
            f"unknown sort column '{column}'",
            hint=did_you_mean(column, names, f"there are: {', '.join(names) or 'none'}"),
        )


def _collect_names(states: Iterable[State]) -> tuple[Names, Names, set[str]]:
    metrics: Names = {}
    params: Names = {}
    deps: set[str] = set()
    for state in _all_states(states):
        if data := state["data"]:
            for names, values in ((metrics, data["metrics"]), (params, data["params"])):
                for file, found in values.items():
                    if isinstance(found.get("data", {}), dict):
                        names.setdefault(file, {}).update(dict.fromkeys(_flat(found, file)))
            deps.update(data["deps"])
    return metrics, params, deps


def _all_states(states: Iterable[State]) -> Iterator[State]:
    for state in states:
        yield state
        for range in state["experiments"] or ():
            yield from _all_states(range["revs"])


def _names_in(names: Names) -> Iterator[str]:
    return (name for inner in names.values() for name in inner)


def _headers(names: Names, counts: Counter[str]) -> list[str]:
    return [
        name if counts[name] == 1 else f"{file}:{name}"
        for file, inner in names.items()
        for name in inner
    ]


def _flat(values: FileValues, file: str) -> dict[str, object]:
    data = values.get("data", {})
    return flatten(data) if isinstance(data, dict) else {file: data}


def flatten(data: Mapping[object, object], prefix: str = "") -> dict[str, object]:
    """Nested maps as one, with keys joined by dots; empty maps vanish."""
    flat: dict[str, object] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def format_value(value: object, precision: int | None) -> str:
    """A value as a cell shows it: floats, also inside lists and maps, with `precision` digits."""
    return str(_rounded(value, precision))


def _rounded(value: object, precision: int | None) -> object:
    if isinstance(value, float) and precision:
        return f"{value:.{precision}g}"
    if isinstance(value, dict):
        return {key: _rounded(inner, precision) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(item, precision) for item in value]
    return value


def _short(rev: str) -> str:
    return rev[:7] if re.fullmatch(r"[0-9a-f]{40}", rev) else rev
