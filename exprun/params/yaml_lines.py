"""YAML edited line by line, for files that DVC's round trip would leave as they are.

A round trip through ruamel.yaml normalises the text, and costs an import and milliseconds. Of a
file that already has ruamel's layout only the lines of the changed values change. This module
knows a part of YAML that is small enough to be sure of that: maps indented by two, lists not
indented at all, plain scalars of unmistakable type, comments. Everything else is not canonical
and takes the long way; the tests hold the two side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.model.patterns import pattern
from exprun.params.overrides import Operation

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from exprun.params.overrides import Override

_KEY = r"[A-Za-z_][A-Za-z0-9_-]{0,59}"
_WORD = r"[A-Za-z_][A-Za-z0-9_./-]{0,59}"
# A float of more digits than a double holds would be rounded on its way through ruamel, and its
# e-0 becomes e+0.
_NUMBER = (
    r"(?:0|-?(?:[1-9][0-9]{0,17}|(?:0|[1-9][0-9]{0,6})\.[0-9]{1,8}"
    r"|[1-9](?:\.[0-9]{1,7})?e-?(?:[1-9][0-9]?|0[1-9])))"
)
_ENTRY = pattern(
    rf"(?P<head>(?P<indent> *)(?:(?P<key>{_KEY}):|-))"
    rf"(?: (?P<value>{_WORD}|{_NUMBER}))?(?:(?P<gap> +)(?P<comment>#.*))?"
)
_REMARK = pattern(r" *#.*")
_IS_WORD = pattern(_WORD)
_IS_NEW_FLOAT = pattern(r"-?[0-9]+\.[0-9]+|-?[0-9](?:\.[0-9]+)?e-[0-9]+")
_AMBIGUOUS = frozenset(("true", "false", "null"))
_BOOLEANS = frozenset(("true", "false"))


def edit(data: bytes, overrides: Sequence[Override]) -> bytes | None:
    """`data` with the new values in their lines, or ``None`` if it takes the long way."""
    try:
        *lines, rest = data.decode().split("\n")
    except UnicodeDecodeError:
        return None
    places = None if rest else _find_scalars(lines)
    if places is None:
        return None
    for override in overrides:
        spelled = _spell(override.value)
        place = places.get(override.key)
        if (
            spelled is None
            or place is None
            or override.operation is not Operation.CHANGE
            or override.package is not None
        ):
            return None
        number, entry = place
        lines[number] = _with_value(entry, spelled)
    return "\n".join([*lines, ""]).encode()


_Place = tuple[int, "re.Match[str]"]


class _Map:
    """A map that the next line may add to."""

    __slots__ = ("indent", "keys", "path")

    def __init__(self, indent: int, path: str) -> None:
        self.indent = indent
        self.path = path
        self.keys: set[str] = set()


def _find_scalars(lines: list[str]) -> dict[str, _Place] | None:
    """Where every scalar stands, by dotted key; ``None`` if the text is not canonical."""
    if not lines or not lines[0]:  # blank lines at the top are squeezed
        return None
    outline = _Outline()
    for number, line in enumerate(lines):
        entry = _ENTRY.fullmatch(line)
        if not line or _REMARK.fullmatch(line):
            # What follows a list belongs to its last item, and lists are written anew.
            fits = not outline.items and line.isprintable() and not line.endswith(" ")
        elif entry is None or not _is_canonical(line, entry):
            fits = False
        elif entry["key"] is None:
            fits = outline.add_item(number, entry)
        else:
            fits = outline.add_key(number, entry)
        if not fits:
            return None
    return outline.places or None


class _Outline:
    """The maps and lists around the current line. Adding says whether the line fits there."""

    def __init__(self) -> None:
        self.places: dict[str, _Place] = {}
        self.items = 0  # of the list that the current line may go on with
        self._maps = [_Map(0, "")]
        self._opened: str | None = None  # the key above that had no value in its line

    def add_item(self, number: int, entry: re.Match[str]) -> bool:
        if self._opened is None or len(entry["indent"]) != self._maps[-1].indent:
            return False
        self.places[f"{self._opened}.{self.items}"] = number, entry
        self.items += 1
        return True

    def add_key(self, number: int, entry: re.Match[str]) -> bool:
        indent, key = len(entry["indent"]), entry["key"]
        maps = self._maps
        if self._opened is not None and not self.items and indent == maps[-1].indent + 2:
            maps.append(_Map(indent, f"{self._opened}."))
        while maps[-1].indent > indent:
            maps.pop()
        if maps[-1].indent != indent or key in maps[-1].keys:
            return False
        maps[-1].keys.add(key)
        path = maps[-1].path + key
        self.items = 0
        self._opened = path if entry["value"] is None else None
        if entry["value"] is not None:
            self.places[path] = number, entry
        return True


def _is_canonical(line: str, entry: re.Match[str]) -> bool:
    key, value = entry["key"], entry["value"]
    if not line.isprintable() or line.endswith(" "):
        return False
    if key is None:
        return value is not None and entry["comment"] is None and _is_plain(value)
    return key.lower() not in _AMBIGUOUS and (value is None or _is_plain(value))


def _is_plain(value: str) -> bool:
    return value in _BOOLEANS or value.lower() not in _AMBIGUOUS


def _spell(value: object) -> str | None:
    """A new value as ruamel writes it, if there is no doubt how."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if _IS_NEW_FLOAT.fullmatch(repr(value)) else None
    if isinstance(value, str) and _IS_WORD.fullmatch(value) and value.lower() not in _AMBIGUOUS:
        return value
    return None


def _with_value(entry: re.Match[str], spelled: str) -> str:
    """The line with another value; its comment stays in its column as long as there is room."""
    edited = f"{entry['head']} {spelled}"
    if entry["comment"] is None:
        return edited
    return edited.ljust(max(entry.start("comment"), len(edited) + 1)) + entry["comment"]
