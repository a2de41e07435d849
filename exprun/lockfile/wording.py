"""What is said about a change: ``dvc status``'s structure, and reasons for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.lockfile.compare import ChangeKind, How

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exprun.lockfile.compare import Change
    from exprun.model.paths import Location

_SENTENCES = {
    ChangeKind.ALWAYS: "always changed",
    ChangeKind.COMMAND: "changed command",
    ChangeKind.CHECKSUM: "changed checksum",
}

_LONGEST_VALUE = 40


def status_json(
    found: Iterable[Change], display: Callable[[Location], str] = str
) -> list[str | dict[str, object]]:
    """What ``dvc status --json`` has about a stage, made of what `compare.status` found.

    `display` spells a location as the user is to see it.
    """
    result: list[str | dict[str, object]] = []
    groups: dict[str, dict[str, object]] = {}
    for change in found:
        if change.kind in _SENTENCES:
            result.append(_SENTENCES[change.kind])
            continue
        title = "changed outs" if change.kind is ChangeKind.OUTPUT else "changed deps"
        if title not in groups:
            groups[title] = {}
            result.append({title: groups[title]})
        _add(groups[title], change, _label(change, display))
    return result


def _add(group: dict[str, object], change: Change, label: str) -> None:
    if change.key is None:
        group[label] = change.how.value
        return
    keys = group.get(label)
    if not isinstance(keys, dict):
        keys = group[label] = {}
    keys[change.key] = change.how.value


def describe(change: Change, display: Callable[[Location], str] = str) -> str:
    """One reason to run a stage, as in ``param train.lr: 0.1 → 0.2``."""
    if change.kind in _SENTENCES:
        return _SENTENCES[change.kind]
    if change.key is None:
        return f"{change.kind.value} {_label(change, display)}: {change.how.value}"
    if change.how is How.MODIFIED:
        return f"param {change.key}: {_short(change.old)} → {_short(change.new)}"
    return f"param {change.key}: {change.how.value}"


def _label(change: Change, display: Callable[[Location], str]) -> str:
    if change.label is not None:
        return change.label
    return "" if change.location is None else display(change.location)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
