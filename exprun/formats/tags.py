"""The explicit tags of YAML's own schema; every other tag is refused.

See yaml.org/type. None of them can build more than plain Python values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.formats import scalars

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "tag:yaml.org,2002:"


def _unknown(tag: str) -> ValueError:
    return ValueError(f"the tag {tag.replace(PREFIX, '!!')} cannot be used here")


def scalar(tag: str, text: str, version: scalars.Version) -> object:
    """The value of a tagged scalar; raises ValueError."""
    match tag.removeprefix(PREFIX):
        case "str":
            return text
        case "int":
            return scalars.to_int(text, version)
        case "float":
            return scalars.to_float(text, version)
        case "bool":
            return scalars.to_bool(text)
        case "null":
            return None
        case "timestamp":
            return scalars.to_timestamp(text)
        case "binary":
            return _binary(text)
        case "merge":
            return scalars.MERGE
        case _:
            raise _unknown(tag)


def sequence(tag: str, items: list[object]) -> object:
    """The value of a tagged sequence; raises ValueError."""
    match tag.removeprefix(PREFIX):
        case "omap":
            ordered = dict(_pairs(items))
            if len(ordered) != len(items):
                raise ValueError("an ordered map repeats a key")
            return ordered
        case "pairs":
            return _pairs(items)
        case _:
            raise _unknown(tag)


def mapping(tag: str, entries: Mapping[object, object]) -> object:
    """The value of a tagged mapping; raises ValueError."""
    if tag == PREFIX + "set":
        return set(entries)
    raise _unknown(tag)


def _pairs(items: list[object]) -> list[tuple[object, object]]:
    pairs: list[tuple[object, object]] = []
    for item in items:
        if not isinstance(item, dict) or len(item) != 1:
            raise ValueError("expected a list of maps with one key each")
        pairs.extend(item.items())
    return pairs


def _binary(text: str) -> bytes:
    import base64

    return base64.decodebytes(text.encode("ascii"))
