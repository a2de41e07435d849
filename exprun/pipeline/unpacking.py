"""A map inside ``cmd`` as command-line options, as DVC spells them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from exprun.model.values import dataclass
from exprun.pipeline.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsingOptions:
    """DVC's configuration section ``parsing``: how a map in ``cmd`` becomes options."""

    bools: Literal["store_true", "boolean_optional"] = "store_true"
    lists: Literal["nargs", "append"] = "nargs"


def to_options(values: Mapping[str, object], parsing: ParsingOptions) -> str:
    """``{a: {b: 1}, c: true}`` as ``--a.b 1 --c``; raises Problem for lists in lists."""
    flat: dict[str, object] = {}
    for name, value in _flatten(values, ""):
        if name in flat:
            raise Problem(f"'{name}' occurs twice in a map that is unpacked")
        flat[name] = value
    words = [word for name, value in flat.items() for word in _option(name, value, parsing)]
    return " ".join(words).rstrip()


def _flatten(values: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _option(name: str, value: object, parsing: ParsingOptions) -> list[str]:
    if isinstance(value, bool):
        if value:
            return [f"--{name}"]
        return [f"--no-{name}"] if parsing.bools == "boolean_optional" else []
    if isinstance(value, str):
        return [f"--{name}", shlex.quote(value)]
    if isinstance(value, Iterable):
        items = [_item(name, item) for item in value]
        if parsing.lists == "append":
            return [word for item in items for word in (f"--{name}", item)]
        return [f"--{name}", *items] if items else []
    return [f"--{name}", str(value)]


def _item(name: str, item: object) -> str:
    if isinstance(item, str):
        return shlex.quote(item)
    if isinstance(item, Iterable):
        raise Problem(f"cannot interpolate a list or map inside the list '{name}'")
    return str(item)
