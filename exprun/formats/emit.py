"""Plain data to YAML text, for the data whose text is beyond doubt.

The layout is ruamel.yaml's as DVC uses it: block style, two spaces a level, sequences not indented,
lines of 80. A bare scalar wraps at a space; that space stays at the end of the line unless the line
was full already. What is not surely written so (long quoted text, long keys, aliases, dates, …)
raises `NotSimple`: then ruamel.yaml itself has to write it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from exprun.formats.plain import NotSimple, is_one_line, is_plain
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH = 80

_LONGEST_KEY = 100
"""Beyond some length, which depends on more than the text, ruamel.yaml writes ``? key``."""

_STEP = "  "

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})
_WORDS = pattern(r"( *)([^ ]+)")

_STABLE_FLOAT = pattern(r"-?[0-9]+\.[0-9]+|-?[0-9](?:\.[0-9]{1,5})?e[-+][0-9]{2}")
"""Floats that ruamel.yaml writes as it read them: it rounds the last digits of some others."""


def emit_mapping(data: Mapping[str, object], indent: int, *, stable: bool = False) -> str:
    """The text of a mapping that is not empty, each line indented and ended by a newline.

    With `stable`, ruamel.yaml's own round trip of the text is sure to change nothing.
    Raises NotSimple.
    """
    emitter = _Emitter(stable)
    emitter.mapping(data, " " * indent, " " * indent)
    return "".join(emitter.lines)


class _Emitter:
    """Writes one document; knows the collections it met, since a second time makes an alias."""

    __slots__ = ("_seen", "_stable", "lines")

    def __init__(self, stable: bool) -> None:
        self.lines: list[str] = []
        self._stable = stable
        self._seen: set[int] = set()

    def mapping(self, data: Mapping[str, object], lead: str, pad: str) -> None:
        """Add the lines of a mapping; `lead` begins the first line, `pad` the others."""
        self._meet(data)
        inner = pad + _STEP
        for key, value in data.items():
            self._value(f"{lead}{_key(key, len(lead))}:", value, pad, inner)
            lead = pad

    def _sequence(self, items: Sequence[object], lead: str, pad: str) -> None:
        self._meet(items)
        for item in items:
            self._item(f"{lead}-", item, pad)
            lead = pad

    def _item(self, lead: str, item: object, pad: str) -> None:
        inner = pad + _STEP
        if item and type(item) is dict:
            self.mapping(item, lead + " ", inner)
        elif item and type(item) is list:
            self._sequence(item, lead + " ", inner)
        elif item is None:
            self.lines.append(lead + " \n")
        else:
            self._value(lead, item, pad, inner)

    def _value(self, lead: str, value: object, pad: str, inner: str) -> None:
        kind = type(value)
        if value is None:
            self.lines.append(lead + "\n")
            return
        if kind is dict or kind is list:
            self._collection(lead, value, pad, inner)  # type: ignore[arg-type]
            return
        text: str = value if kind is str else self._number(value)  # type: ignore[assignment]
        if kind is str and not is_plain(text):
            self.lines.append(f"{lead} {_quoted(text, len(lead))}\n")
        elif len(lead) + 1 + len(text) <= WIDTH:
            self.lines.append(f"{lead} {text}\n")
        else:
            self.lines.append(self._wrap(lead, text, inner))

    def _collection(
        self, lead: str, value: dict[str, object] | list[object], pad: str, inner: str
    ) -> None:
        if value:
            self.lines.append(lead + "\n")
            if isinstance(value, dict):
                self.mapping(value, inner, inner)
            else:
                self._sequence(value, pad, pad)
            return
        self._meet(value)
        if len(lead) + 3 > WIDTH:
            raise NotSimple
        self.lines.append(f"{lead} {'{}' if isinstance(value, dict) else '[]'}\n")

    def _number(self, value: object) -> str:
        if value is True or value is False:
            return "true" if value else "false"
        if type(value) is int:
            return str(value)
        if type(value) is not float:
            raise NotSimple
        text = repr(value)
        if not _STABLE_FLOAT.fullmatch(text) and (self._stable or text[-1] not in "0123456789"):
            raise NotSimple
        return text

    def _wrap(self, lead: str, text: str, inner: str) -> str:
        """`lead` and a bare scalar, wrapped at the width, its further lines indented by `inner`."""
        column = len(lead) + 1
        new_line = "\n" + inner
        parts = [lead, " "]
        for match in _WORDS.finditer(text):
            spaces, word = match.groups()
            if len(spaces) == 1 and column >= WIDTH:
                parts.append(new_line)
                column = len(inner)
            else:
                parts.append(spaces)
                column += len(spaces)
            if column + len(word) > WIDTH and column > len(inner):
                if self._stable and len(spaces) > 1:
                    raise NotSimple  # at the end of a line they count as one
                parts.append(new_line)
                column = len(inner)
            parts.append(word)
            column += len(word)
        parts.append("\n")
        return "".join(parts)

    def _meet(self, collection: object) -> None:
        if id(collection) in self._seen:
            raise NotSimple
        self._seen.add(id(collection))


@lru_cache(maxsize=1024, typed=True)  # they come again with every stage
def _key(key: object, column: int) -> str:
    if type(key) is not str or not 0 < len(key) <= _LONGEST_KEY or "\n" in key:
        raise NotSimple
    if column + len(key) > WIDTH and " " in key:
        raise NotSimple  # ruamel.yaml breaks such keys, although it cannot read them then
    return key if is_plain(key) else _quoted(key, column)


def _quoted(text: str, column: int) -> str:
    """`text` in quotes, on one line that starts at `column`."""
    escaped = text.translate(_ESCAPES)
    if not is_one_line(escaped):
        raise NotSimple
    bare = "'" not in text and "\n" not in text and "\t" not in text
    quoted = f"'{text}'" if bare else f'"{escaped}"'
    if column + 1 + len(quoted) > WIDTH:
        raise NotSimple
    return quoted
