"""How the metrics and parameters of two states differ, in the schema of ``dvc exp diff --json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.results.columns import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.results.state import FileValues, State

Change = dict[str, object]
"""``old`` and ``new``, and ``diff`` where both are numbers."""

Differences = dict[str, dict[str, Change]]
"""Changes by file and dotted name."""

_ABSENT: dict[str, object] = {}


def compare_states(old: State, new: State, *, unchanged: bool = False) -> dict[str, Differences]:
    """What differs under ``metrics`` and ``params``; with `unchanged` also what does not."""
    before, after = old["data"], new["data"]
    return {
        "metrics": _compare(
            before["metrics"] if before else {}, after["metrics"] if after else {}, unchanged
        ),
        "params": _compare(
            before["params"] if before else {}, after["params"] if after else {}, unchanged
        ),
    }


def _compare(
    old: Mapping[str, FileValues], new: Mapping[str, FileValues], unchanged: bool
) -> Differences:
    differences: Differences = {}
    for file in sorted(old.keys() | new.keys()):
        before = old[file].get("data", _ABSENT) if file in old else _ABSENT
        after = new[file].get("data", _ABSENT) if file in new else _ABSENT
        if changes := _changes(_plain(before), _plain(after), unchanged):
            differences[file] = changes
    return differences


def _plain(value: object) -> object:
    """`value` with each list as text, which is how DVC compares them."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, list) else value


def _changes(old: object, new: object, unchanged: bool) -> dict[str, Change]:
    if not (isinstance(old, dict) or isinstance(new, dict)):
        change = _change(old, new, unchanged)
        return {"": change} if change else {}
    before, after = _by_name(old), _by_name(new)
    names = sorted({**(before or {}), **(after or {})})
    changes = {name: _change(_at(before, name), _at(after, name), unchanged) for name in names}
    return {name: change for name, change in changes.items() if change}


def _by_name(value: object) -> dict[str, object] | None:
    """A map's values by dotted name; None for what is no map although the other side is one."""
    if not value:
        return {}
    return flatten(value) if isinstance(value, dict) else None


def _at(values: dict[str, object] | None, name: str) -> object:
    return "unable to parse" if values is None else values.get(name)


def _change(old: object, new: object, unchanged: bool) -> Change:
    if old == new and not unchanged:
        return {}
    change: Change = {"old": old, "new": new}
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        change["diff"] = new - old
    return change
