"""Reads the block style of dvc.lock and of plain settings, twenty times faster than a YAML parser.

It knows a subset: block mappings and sequences; bare scalars, also over several lines; quoted ones
on one line without escapes. Whatever else a line holds raises `NotSimple`, and the caller turns to
`formats.yaml12`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.formats.plain import NotSimple, is_one_line, is_plain, read_plain
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEEPEST = 40

_QUOTED_KEY = pattern(r"'([^']+)':(?: (.*))?")


def read_mapping(text: str, indent: int) -> dict[str, object]:
    """The mapping that fills `text`, its keys indented by `indent`; raises NotSimple."""
    lines = _Lines(text.removesuffix("\n").split("\n"))
    value = lines.mapping(indent, 0)
    if not lines.at_end:
        raise NotSimple
    return value


def read_settings(text: str) -> dict[str, object]:
    """The mapping that a document is which a person wrote, comments left out; raises NotSimple."""
    lines = text.removesuffix("\n").split("\n")
    if not all(line.isascii() and line.isprintable() for line in lines) or "<<" in text:
        raise NotSimple
    kept = [line for line in lines if not line.lstrip(" ").startswith("#") and line.strip(" ")]
    reader = _Lines(kept, folds=False)
    value = reader.mapping(0, 0)
    if not reader.at_end:
        raise NotSimple
    return value


class _Lines:
    """The lines of a block, the next one split into its indentation and the rest.

    A scalar may go on over several lines if the block `folds`.
    """

    __slots__ = ("_folds", "_indent", "_lines", "_rest")

    def __init__(self, lines: Iterable[str], *, folds: bool = True) -> None:
        self._lines = iter(lines)
        self._folds = folds
        self._advance()

    @property
    def at_end(self) -> bool:
        return self._indent < 0

    def _advance(self) -> None:
        line = next(self._lines, None)
        if line is None:
            self._indent, self._rest = -1, ""
            return
        self._rest = line.lstrip(" ")
        self._indent = len(line) - len(self._rest)
        if not self._rest:
            raise NotSimple

    def mapping(self, indent: int, depth: int) -> dict[str, object]:
        if depth > _DEEPEST:
            raise NotSimple
        entries: dict[str, object] = {}
        while self._indent == indent and not self._rest.startswith("- "):
            key, rest = _split_key(self._rest)
            if key in entries:
                raise NotSimple
            self._advance()
            entries[key] = self._value(rest, indent, indent, depth)
        if not entries:
            raise NotSimple
        return entries

    def _sequence(self, indent: int, depth: int) -> list[object]:
        if depth > _DEEPEST:
            raise NotSimple
        items: list[object] = []
        while self._indent == indent and self._rest.startswith("- "):
            items.append(self._item(indent, depth))
        return items

    def _item(self, indent: int, depth: int) -> object:
        rest = self._rest[2:]
        if rest.startswith("- ") or _starts_mapping(rest):
            # ``- - x`` and ``- key: x`` hold a block whose first line is this one.
            self._indent, self._rest = indent + 2, rest
            if rest.startswith("- "):
                return self._sequence(indent + 2, depth + 1)
            return self.mapping(indent + 2, depth + 1)
        self._advance()
        if not rest:
            if self._indent > indent:
                raise NotSimple
            return None
        return self._scalar(rest, indent)

    def _value(self, rest: str | None, indent: int, column: int, depth: int) -> object:
        """What follows a key: on its line, or as a block below it."""
        if rest is not None:
            return self._scalar(rest, indent)
        if self._indent > column:
            if self._rest.startswith("- "):
                return self._indented_sequence(depth)
            return self.mapping(self._indent, depth + 1)
        if self._indent == column and self._rest.startswith("- "):
            return self._sequence(column, depth + 1)
        return None

    def _indented_sequence(self, depth: int) -> list[object]:
        """DVC does not write it: what it stands for is clear, how it is laid out is not."""
        if self._folds:
            raise NotSimple
        return self._sequence(self._indent, depth + 1)

    def _scalar(self, text: str, indent: int) -> object:
        if self._indent <= indent:
            return _one_line(text)
        if not self._folds:
            raise NotSimple
        words = [text.rstrip(" ")] if text else []
        while self._indent > indent:
            words.append(self._rest.rstrip(" "))
            self._advance()
        folded = " ".join(words)
        if len(words) == 1:
            return _one_line(folded)
        if not is_plain(folded):
            raise NotSimple
        return folded


def _split_key(rest: str) -> tuple[str, str | None]:
    """The key of a line and what follows on it, None for nothing."""
    key, colon, value = rest.partition(": ")
    if not colon:
        if not rest.endswith(":"):
            raise NotSimple
        key = rest[:-1]
    if is_plain(key):
        return key, value if colon else None
    match = _QUOTED_KEY.fullmatch(rest)
    if match is None or not is_one_line(match[1]):
        raise NotSimple
    return match[1], match[2]


def _starts_mapping(rest: str) -> bool:
    return ": " in rest or rest.endswith(":")


def _one_line(text: str) -> object:
    quote = text[:1]
    if quote == "'" or quote == '"':
        inner = text[1:-1]
        if len(text) < 2 or text[-1] != quote or quote in inner or (quote == '"' and "\\" in inner):
            raise NotSimple
        if not is_one_line(inner):
            raise NotSimple
        return inner
    if text == "{}":
        return {}
    if text == "[]":
        return []
    try:
        return read_plain(text)
    except ValueError:
        raise NotSimple from None
