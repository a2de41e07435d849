"""Overrides applied to plain data, for the cases in which OmegaConf would do nothing surprising.

OmegaConf costs a tenth of a second to import. It is needed for interpolation, for merging maps and
lists, and to say what is wrong; setting one existing key to a number is not such a case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exprun.params.overrides import Operation, Override

if TYPE_CHECKING:
    from collections.abc import Sequence

_MISSING = object()


class NotPlainError(Exception):
    """OmegaConf has to judge this one, if only to find the right words."""


def apply(data: dict[Any, Any], overrides: Sequence[Override]) -> None:
    """Change `data` (plain dicts and lists); after NotPlainError it is good for nothing."""
    if not all(_is_inert(one.value) for one in overrides) or not _holds_only_inert(data):
        raise NotPlainError
    for override in overrides:
        _apply(data, override)


def _apply(data: dict[Any, Any], override: Override) -> None:
    if not override.key or override.package is not None:
        raise NotPlainError
    *parents, last = override.key.split(".")
    operation = override.operation
    adds = operation in (Operation.ADD, Operation.FORCE_ADD)
    place: Any = data
    for name in parents:
        place = _descend(place, name, create=adds)
    if isinstance(place, list):
        if operation is not Operation.CHANGE:
            raise NotPlainError
        place[_index(place, last)] = override.value
        return
    current = place.get(last, _MISSING)
    if operation is Operation.DELETE:
        if override.value is not None or current is _MISSING or current is None:
            raise NotPlainError
        del place[last]
    elif operation is Operation.CHANGE and current is _MISSING:
        raise NotPlainError
    elif operation is Operation.ADD and current is not _MISSING and current is not None:
        raise NotPlainError
    else:
        place[last] = override.value


def _descend(place: Any, name: str, *, create: bool) -> Any:
    if isinstance(place, list):
        child = place[_index(place, name)]
    elif create:
        child = place.setdefault(name, {})
    else:
        child = place.get(name)
    if not isinstance(child, (dict, list)):
        raise NotPlainError
    return child


def _index(place: list[Any], name: str) -> int:
    if not (name.isdecimal() and name.isascii() and int(name) < len(place)):
        raise NotPlainError
    return int(name)


def _is_inert(value: object) -> bool:
    """Whether OmegaConf takes this scalar as it is: no interpolation, no ``???``, no odd type."""
    if isinstance(value, str):
        return "${" not in value and value != "???"
    return value is None or isinstance(value, (int, float))


def _holds_only_inert(data: object) -> bool:
    if isinstance(data, dict):
        return all(
            isinstance(key, (str, int, float)) and _holds_only_inert(value)
            for key, value in data.items()
        )
    if isinstance(data, list):
        return all(map(_holds_only_inert, data))
    return _is_inert(data)
