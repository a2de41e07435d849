"""Which stages a ``foreach`` or ``matrix`` group stands for."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING

from exprun.pipeline.context import Ref, admit
from exprun.pipeline.problem import Problem
from exprun.pipeline.templating import Resolver, to_text
from exprun.pipeline.unpacking import ParsingOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

Bindings = dict[str, object]

JOIN = "@"


def foreach_members(source: object, resolver: Resolver, where: str) -> dict[str, Bindings]:
    """The members of a ``foreach`` group: key -> ``item`` and ``key``."""
    items, origin = _unwrap(resolver.group_value(source))
    if isinstance(items, dict):
        keyed = _child_refs(items, origin) if origin is not None else items
        return {
            (key := _name(raw)): {"item": _admitted(item), "key": key}
            for raw, item in keyed.items()
        }
    if isinstance(items, list):
        elements = _item_refs(items, origin)
        if any(_is_composite(item) for item in elements):
            names = map(str, range(len(elements)))
        else:
            names = map(_name, elements)
        return {name: {"item": _admitted(item)} for name, item in zip(names, elements, strict=True)}
    kind = type(items).__name__
    raise Problem(f"failed to resolve '{where}.foreach': expected list/dictionary, got {kind}")


def matrix_members(
    axes: Mapping[str, object], resolver: Resolver, where: str, *, limit: int
) -> dict[str, Bindings]:
    """The members of a ``matrix`` group: key -> ``item`` and ``key``, the last axis fastest."""
    resolved = resolver.group_value(axes)
    assert isinstance(resolved, dict)
    values = {name: _axis(name, axis, where) for name, axis in resolved.items()}
    if prod(map(len, values.values())) > limit:
        raise Problem(f"'{where}.matrix' stands for more than {limit:,} stages")
    members: dict[str, Bindings] = {}
    for combination in product(*(enumerate(axis) for axis in values.values())):
        item: dict[str, object] = {}
        fragments = []
        for name, (index, value) in zip(values, combination, strict=True):
            item[name] = value
            fragments.append(f"{name}{index}" if _is_composite(value) else _name(value))
        key = "-".join(fragments)
        members[key] = {"item": _admitted(item), "key": key}
    return members


def _axis(name: str, axis: object, where: str) -> list[object]:
    values, origin = _unwrap(axis)
    if isinstance(values, list):
        return _item_refs(values, origin)
    if isinstance(values, dict) or (isinstance(values, str) and origin is None):
        return list(values)
    kind = type(values).__name__
    raise Problem(f"failed to resolve '{where}.matrix.{name}': expected a list, got {kind}")


def _unwrap(value: object) -> tuple[object, tuple[str, ...] | None]:
    return (value.value, value.origin) if isinstance(value, Ref) else (value, None)


def _item_refs(items: list[object], origin: tuple[str, ...] | None) -> list[object]:
    if origin is None:
        return items
    return [Ref(item, (*origin, str(index))) for index, item in enumerate(items)]


def _child_refs(items: dict[str, object], origin: tuple[str, ...]) -> dict[str, object]:
    return {key: Ref(item, (*origin, key)) for key, item in items.items()}


def _is_composite(value: object) -> bool:
    value, _ = _unwrap(value)
    return isinstance(value, (dict, list, tuple))


def _name(value: object) -> str:
    # DVC spells a boolean from a literal list `true` and one from an expression `True`.
    return str(value.value) if isinstance(value, Ref) else to_text(value, ParsingOptions())


def _admitted(item: object) -> object:
    return item if isinstance(item, Ref) else admit(item, "item")
