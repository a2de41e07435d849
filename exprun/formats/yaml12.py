"""YAML 1.2 documents, read at libyaml's speed with the meaning ruamel.yaml gives them.

libyaml turns the text into events; this module turns events into values. That is faster than
composing nodes first, and it is where YAML 1.2's scalars, duplicate keys, merges, reused anchors
and the limits are decided. No tag ever builds anything but the plain types of YAML's own schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from exprun.errors import ProjectError
from exprun.formats import scalars, tabs, tags
from exprun.formats.text import DEFAULT_LIMITS, Limits, conflict_hint, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The types of PyYAML's events do not know their attributes: typed values start where they end.
_Event = Any
_EventParser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(
    data: bytes | str,
    *,
    name: str,
    error: type[ProjectError] = ProjectError,
    limits: Limits = DEFAULT_LIMITS,
) -> object:
    """The value of a YAML document, None for an empty one.

    Raises `error`, naming file and line, for text that is not YAML, repeats a key, uses a tag
    outside YAML's own schema, or exceeds the limits.
    """
    text = decode(data, name=name, error=error, limits=limits)
    try:
        value = _Document(text, limits).value()
        line = tabs.misplaced_tab(text, _events(text)) if "\t" in text else None
    except _Refused as refused:
        where = f"{name}:{refused.line}"
        raise error(refused.problem, where=where, hint=conflict_hint(text)) from None
    except yaml.YAMLError as failure:
        line = _line_of(failure)
        where = f"{name}:{line}" if line else name
        raise error(_problem(failure, limits), where=where, hint=conflict_hint(text)) from None
    if line is not None:
        raise error(
            "invalid YAML: found a tab character outside of quotes, block text and comments",
            where=f"{name}:{line}",
            hint="use spaces, or quote the text",
        )
    return value


def _events(text: str) -> Iterator[_Event]:
    parser = _EventParser(text)
    while (event := parser.get_event()) is not None:
        yield event


def _line_of(failure: yaml.YAMLError) -> int | None:
    mark = getattr(failure, "problem_mark", None) or getattr(failure, "context_mark", None)
    return mark.line + 1 if mark is not None else None


def _problem(failure: yaml.YAMLError, limits: Limits) -> str:
    problem = getattr(failure, "problem", None) or getattr(failure, "reason", None)
    if problem == "exceeded maximum nesting depth":  # libyaml's own limit: 1,000 since 0.2.6
        return _too_deep(limits)
    context = getattr(failure, "context", None)
    return f"invalid YAML: {', '.join(filter(None, (context, problem))) or failure}"


def _too_deep(limits: Limits) -> str:
    return f"nested deeper than {limits.depth} levels"


class _Refused(Exception):
    """The document is YAML but not one that is accepted."""

    def __init__(self, event: _Event, problem: str) -> None:
        super().__init__(problem)
        self.line = event.start_mark.line + 1
        self.problem = problem


class _Document:
    """One pass over the events of a document."""

    __slots__ = (
        "_anchors",
        "_depth",
        "_expanded",
        "_limits",
        "_next",
        "_nodes",
        "_plain",
        "_version",
    )

    def __init__(self, text: str, limits: Limits) -> None:
        self._next: Callable[[], _Event] = _EventParser(text).get_event
        self._limits = limits
        self._version = scalars.YAML_1_2
        self._plain: dict[str, object] = {}
        self._anchors: dict[str, tuple[object, int]] = {}
        self._depth = 0
        self._nodes = 1
        self._expanded = 0

    def value(self) -> object:
        """The value of the only document, None when there is none."""
        self._next()  # the start of the stream
        start = self._next()
        if isinstance(start, StreamEndEvent):
            return None
        if start.version is not None:
            self._version = start.version
        value = self._build(self._next())
        self._next()  # the end of the document
        extra = self._next()
        if not isinstance(extra, StreamEndEvent):
            raise _Refused(extra, "expected one YAML document, but there is another")
        return value

    def _build(self, event: _Event) -> object:
        """The value that starts at `event`."""
        kind = type(event)
        if kind is ScalarEvent:
            value = self._scalar(event)
            if value is scalars.MERGE or value is scalars.DEFAULT:
                raise _Refused(event, f"'{event.value}' is not a value")
            return value
        if kind is AliasEvent:
            return self._alias(event)
        before = self._nodes + self._expanded
        self._depth += 1
        if self._depth > self._limits.depth:
            raise _Refused(event, _too_deep(self._limits))
        value = self._mapping(event) if kind is MappingStartEvent else self._sequence(event)
        self._depth -= 1
        if self._nodes > self._limits.nodes:
            self._refuse_size(event)
        if event.anchor is not None:
            size = self._nodes + self._expanded - before + 1
            self._anchors[event.anchor] = (value, size)
        return value

    def _scalar(self, event: _Event) -> object:
        text: str = event.value
        tag = event.tag
        try:
            if tag is not None and tag != "!":
                value = tags.scalar(tag, text, self._version)
            elif event.implicit[0] and tag is None:
                value = self._plain_value(text)
            else:
                value = text
        except ValueError as failure:
            raise _Refused(event, f"invalid value: {failure}") from None
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        return value

    def _plain_value(self, text: str) -> object:
        # Documents repeat themselves: most keys and many values have been seen before.
        plain = self._plain
        if text in plain:
            return plain[text]
        value = plain[text] = scalars.resolve_plain(text, self._version)
        return value

    def _alias(self, event: _Event) -> object:
        try:
            value, size = self._anchors[event.anchor]
        except KeyError:
            raise _Refused(event, f"found undefined alias '{event.anchor}'") from None
        self._expanded += size
        if self._expanded > self._limits.expanded:
            raise _Refused(event, f"aliases stand for more than {self._limits.expanded:,} values")
        return value

    def _refuse_size(self, event: _Event) -> NoReturn:
        raise _Refused(event, f"the file holds more than {self._limits.nodes:,} values")

    def _sequence(self, start: _Event) -> object:
        next_event, build = self._next, self._build
        items: list[object] = []
        append = items.append
        limit = self._limits.nodes
        while type(event := next_event()) is not SequenceEndEvent:
            append(build(event))
            if len(items) > limit:
                self._refuse_size(event)
        self._nodes += len(items)
        return items if start.tag in _OWN_SEQUENCE else self._tagged(tags.sequence, start, items)

    def _mapping(self, start: _Event) -> object:
        next_event, build, scalar = self._next, self._build, self._scalar
        entries: dict[Any, object] = {}
        repeated: _Event | None = None
        merged: dict[Any, object] | None = None
        limit = self._limits.nodes
        while type(event := next_event()) is not MappingEndEvent:
            key = scalar(event) if type(event) is ScalarEvent else self._collection_key(event)
            if key is scalars.MERGE:
                if merged:
                    raise _Refused(event, "found duplicate merge key '<<'")
                merged = self._merge(next_event())
                continue
            if key is scalars.DEFAULT:
                key = "="
            if key in entries and repeated is None:
                repeated = event
            entries[key] = build(next_event())
            if len(entries) > limit:
                self._refuse_size(event)
        self._nodes += 2 * len(entries)
        if merged:
            # Like ruamel.yaml: merged keys come first, and next to them repetition is allowed.
            entries = merged | entries
        elif repeated is not None:
            raise _Refused(repeated, f"found duplicate key '{getattr(repeated, 'value', '')}'")
        return entries if start.tag in _OWN_MAPPING else self._tagged(tags.mapping, start, entries)

    def _collection_key(self, event: _Event) -> object:
        key = self._build(event)
        if isinstance(key, list):
            key = tuple(key)
        try:
            hash(key)
        except TypeError:
            raise _Refused(event, "found a key that is a map") from None
        return key

    def _merge(self, event: _Event) -> dict[Any, object]:
        """What ``<<`` brings in; of several maps the first one wins."""
        value = self._build(event)
        merged: dict[Any, object] = {}
        for source in reversed(value) if isinstance(value, list) else (value,):
            if not isinstance(source, dict):
                raise _Refused(event, "expected a map or a list of maps for merging")
            merged.update(source)
        return merged

    def _tagged(
        self, convert: Callable[[str, Any], object], start: _Event, value: object
    ) -> object:
        try:
            return convert(start.tag, value)
        except ValueError as failure:
            raise _Refused(start, f"invalid value: {failure}") from None


_OWN_SEQUENCE = frozenset((None, "!", tags.PREFIX + "seq"))
_OWN_MAPPING = frozenset((None, "!", tags.PREFIX + "map"))
