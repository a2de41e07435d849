"""The INI dialect of DVC's configuration files, which is that of the library ``configobj``.

``key = value`` lines under ``[section]`` lines, ``[[nested]]`` sections, values that are lists when
they hold a comma, quotes of either kind, triple quotes over several lines, ``#`` comments anywhere
outside quotes, and ``%(key)s`` for another value of the same or an outer section.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from exprun.errors import ConfigError
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

SectionPath = tuple[str, ...]
Value = str | tuple[str, ...]

_QUOTES = ('"', "'")
_TRIPLE_QUOTES = ('"""', "'''")


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, and the ``file:line`` that gave it."""

    value: Value
    where: str


@dataclass(slots=True)
class Section:
    """A section: the ``file:line`` of its heading, and its entries by key as spelled."""

    where: str
    entries: dict[str, Entry]


def parse_ini(text: str, *, file: str) -> dict[SectionPath, Section]:
    """The sections of `text` by path of names as spelled; the path of what precedes all is ``()``.

    Raises ConfigError, naming `file` and the line.
    """
    return _Parser(text, file).parse()


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._lines = text.removeprefix("\ufeff").splitlines()
        self._numbers = iter(range(len(self._lines)))
        self._at = 0
        self._path: SectionPath = ()
        self._sections: dict[SectionPath, Section] = {(): Section(file, {})}

    def parse(self) -> dict[SectionPath, Section]:
        for number in self._numbers:
            self._at = number
            line = self._lines[number].strip()
            if not line or line[0] == "#":
                continue
            if line[0] == "[" and self._open_section(line):
                continue
            self._add_entry(line)
        _interpolate(self._sections)
        return self._sections

    def _where(self) -> str:
        return f"{self._file}:{self._at + 1}"

    def _refuse(self, message: str, hint: str | None = None) -> NoReturn:
        raise ConfigError(message, where=self._where(), hint=hint)

    def _open_section(self, line: str) -> bool:
        heading = _split_heading(line)
        if heading is None:
            return False
        depth, name, closing = heading
        if depth != closing:
            self._refuse("a section's heading has as many '[' as ']'")
        if depth > len(self._path) + 1:
            self._refuse("this section is nested deeper than the one before allows")
        self._path = (*self._path[: depth - 1], name)
        if self._path in self._sections:
            self._refuse(f"section [{name}] appears twice", hint="merge the two sections")
        self._sections[self._path] = Section(self._where(), {})
        return True

    def _add_entry(self, line: str) -> None:
        key, text = self._split_entry(line)
        where = self._where()
        value = self._read_long(text) if text[:3] in _TRIPLE_QUOTES else self._read_value(text)
        entries = self._sections[self._path].entries
        if key in entries:
            self._refuse(f"'{key}' is set twice in one section", hint="remove one of the lines")
        entries[key] = Entry(value, where)

    def _split_entry(self, line: str) -> tuple[str, str]:
        if line[0] in _QUOTES:
            end = line.find(line[0], 1)
            key, rest = line[1:end], line[end + 1 :].lstrip()
            if end < 0 or not rest.startswith("="):
                self._refuse("this line is neither a section nor 'key = value'")
            return key, rest[1:].strip()
        key, equals, text = line.partition("=")
        if not equals or not key:
            self._refuse("this line is neither a section nor 'key = value'")
        return key.rstrip(), text.strip()

    def _read_value(self, text: str) -> Value:
        """The string, or the list if there is a comma outside quotes."""
        items: list[str] = []
        position = 0
        is_list = False
        if text == "," or (text[:1] == "," and text[1:].lstrip().startswith("#")):
            return ()
        while position < len(text) and text[position] != "#":
            item, position = self._read_item(text, position)
            items.append(item)
            if text[position : position + 1] == ",":
                is_list = True
                position = _skip_spaces(text, position + 1)
        return tuple(items) if is_list else "".join(items)

    def _read_item(self, text: str, start: int) -> tuple[str, int]:
        """The item at `start`, and where its comma, comment or the end of the text is."""
        quote = text[start]
        if quote == ",":
            self._refuse("a list has nothing between two commas")
        if quote not in _QUOTES:
            end = next((i for i in range(start, len(text)) if text[i] in ",#"), len(text))
            return text[start:end].rstrip(), end
        end = text.find(quote, start + 1)
        after = _skip_spaces(text, end + 1)
        if end < 0 or (after < len(text) and text[after] not in ",#"):
            self._refuse("quotes in this value do not match", hint="quote the whole value once")
        return text[start + 1 : end], after

    def _read_long(self, text: str) -> str:
        """A value in triple quotes, which may go on over the next lines."""
        line = self._lines[self._at]
        quotes, lines = text[:3], [text[3:] + line[len(line.rstrip()) :]]
        while quotes not in lines[-1]:
            following = next(self._numbers, None)
            if following is None:
                self._refuse("a value in triple quotes does not end")
            lines.append(self._lines[following])
        last, _, rest = lines[-1].partition(quotes)
        if rest.strip() and not rest.lstrip().startswith("#"):
            self._refuse("there is something after a value in triple quotes")
        return "\n".join([*lines[:-1], last])


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _split_heading(line: str) -> tuple[int, str, int] | None:
    """How many brackets open, the name, and how many close; None if `line` is no heading."""
    start = 0
    while start < len(line) and (line[start] == "[" or line[start].isspace()):
        start += 1
    end = line.find("]", start + 1)
    while end >= 0:
        name = line[start:end].rstrip()
        after = end
        while after < len(line) and (line[after] == "]" or line[after].isspace()):
            after += 1
        if line[after : after + 1] in ("", "#") and _is_whole_name(name):
            unquoted = name[1:-1] if name[0] in _QUOTES else name
            return line.count("[", 0, start), unquoted, line.count("]", end, after)
        end = line.find("]", end + 1)
    return None


def _is_whole_name(name: str) -> bool:
    if name[0] in _QUOTES:
        return len(name) > 2 and name[-1] == name[0] and not name[1:-1].isspace()
    return True


def _interpolate(sections: dict[SectionPath, Section]) -> None:
    """Replace every ``%(key)s`` by what it stands for."""
    for path, section in sections.items():
        for key, entry in section.entries.items():
            parts = entry.value if isinstance(entry.value, tuple) else (entry.value,)
            if not any("%(" in part for part in parts):
                continue
            filled = tuple(_fill(part, path, sections, entry.where, (key,)) for part in parts)
            value = filled if isinstance(entry.value, tuple) else filled[0]
            section.entries[key] = Entry(value, entry.where)


def _fill(
    text: str,
    path: SectionPath,
    sections: dict[SectionPath, Section],
    where: str,
    trail: tuple[str, ...],
) -> str:
    def replace(match: re.Match[str]) -> str:
        key = match[1]
        if key in trail:
            raise ConfigError(f"'%({key})s' refers to itself", where=where)
        found = next(_candidates(key, path, sections), None)
        if found is None:
            raise ConfigError(f"'%({key})s' refers to a key that is not set", where=where)
        return _fill(found, path, sections, where, (*trail, key))

    return re.sub(r"%\(([^)]*)\)s", replace, text)


def _candidates(key: str, path: SectionPath, sections: dict[SectionPath, Section]) -> Iterator[str]:
    """The values called `key` in the section, then in the sections around it."""
    for depth in range(len(path), -1, -1):
        for holder in (path[:depth], (*path[:depth], "DEFAULT")):
            entry = sections[holder].entries.get(key) if holder in sections else None
            if entry is not None and isinstance(entry.value, str):
                yield entry.value
