"""Looks parameters up by the dotted keys of dvc.yaml.

The rules are those of dpath.get, which DVC uses: a key is a path of patterns. Each segment matches
a map's key as ``fnmatch`` does, ``**`` stands for any number of segments, and a number also finds
an item of a list (negative from its end) or a map's key that is a number. One match is a value,
none is a missing parameter, several are an error.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from exprun.errors import ParamsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exprun.model.stage import ParamsFile

_Path = tuple[object, ...]

_ANY_DEPTH = "**"
_PATTERN_CHARACTERS = frozenset("*?[")


def select_params(values: Mapping[str, object], file: ParamsFile) -> dict[str, object]:
    """Those of the values of `file` that a stage tracks, by key, in dvc.yaml's order.

    Keys that match nothing are left out. Raises ParamsError for a key that is ambiguous.
    """
    if not file.keys:
        return dict(values)
    selected: dict[str, object] = {}
    for key in file.keys:
        found = _find(values, key, file)
        if found:
            selected[key] = found[0]
    return selected


def require_params(values: Mapping[str, object], file: ParamsFile) -> dict[str, object]:
    """As `select_params`, but raises ParamsError for a key that matches nothing."""
    selected = select_params(values, file)
    missing = [key for key in dict.fromkeys(file.keys) if key not in selected]
    if missing:
        names = ", ".join(missing)
        raise ParamsError(
            f"Parameters '{names}' are missing from '{file.location}'.",
            hint=f"add them to {file.location}, or take them out of the stage's params",
        )
    for key in selected:
        if not isinstance(key, str):
            raise ParamsError(f"the key {key!r} is not text", where=file.location)
    return selected


def search_params(values: object, keys: Sequence[str]) -> object:
    """A document with all left out that none of `keys` matches, as dpath.search makes it.

    Items of a list keep their places: those before them that do not match are None.
    """
    found: object = {}
    for key in keys:
        segments = [] if key in ("", "/") else key.lstrip(".").split(".")
        for path, value in _matching_paths(values, segments):
            found = _with_value(found, values, path, value)
    return found


def _matching_paths(node: object, segments: Sequence[str]) -> Iterator[tuple[_Path, object]]:
    """As `_matches`, with the keys and indices that lead to each match."""
    if not segments:
        yield (), node
        return
    segment, rest = segments[0], segments[1:]
    steps: Iterable[tuple[object, object]] = ()
    if isinstance(node, dict):
        steps = node.items()
    elif isinstance(node, (list, tuple)):
        steps = enumerate(node)
    if segment == _ANY_DEPTH:
        if rest:
            yield from _matching_paths(node, rest)
        for step, child in steps:
            if not rest:
                yield (step,), child
            yield from (((step, *path), value) for path, value in _matching_paths(child, segments))
        return
    for step, child in steps:
        if isinstance(node, dict):
            matched = _is_key(step, segment)
        else:
            matched = isinstance(step, int) and _is_index(step, len(node), segment)  # type: ignore[arg-type]
        if matched:
            yield from (((step, *path), value) for path, value in _matching_paths(child, rest))


def _with_value(found: object, source: object, path: _Path, value: object) -> object:
    """`found` with `value` at `path`, whose containers are of the kinds that `source` has."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(source, dict):
        held = found if isinstance(found, dict) else {}
        held[step] = _with_value(held.get(step), source[step], rest, value)
        return held
    assert isinstance(source, (list, tuple))
    assert isinstance(step, int)
    items = list(found) if isinstance(found, list) else []
    items += [None] * (step + 1 - len(items))
    items[step] = _with_value(items[step], source[step], rest, value)
    return items


def _find(values: Mapping[str, object], key: str, file: ParamsFile) -> list[object]:
    """What `key` matches: nothing or one value."""
    if key in ("", "/"):
        return [values]
    segments = key.lstrip(".").split(".")
    if segments.count(_ANY_DEPTH) > 1:
        raise ParamsError(f"'**' may be in a key once: {key}", where=file.location)
    found: list[object] = []
    for match in _matches(values, segments):
        found.append(match)
        if len(found) > 1:
            raise ParamsError(
                f"the key '{key}' matches more than one parameter", where=file.location
            )
    return found


def _matches(node: object, segments: Sequence[str]) -> Iterator[object]:
    segment, rest = segments[0], segments[1:]
    if segment == _ANY_DEPTH:
        if rest:
            yield from _matches(node, rest)
        for child in _children(node, "*"):
            if not rest:
                yield child
            yield from _matches(child, segments)
        return
    for child in _children(node, segment):
        if rest:
            yield from _matches(child, rest)
        else:
            yield child


def _children(node: object, pattern: str) -> Iterable[object]:
    if isinstance(node, dict):
        if _is_literal(pattern):
            return (node[pattern],) if pattern in node else ()
        return (value for key, value in node.items() if _is_key(key, pattern))
    if isinstance(node, (list, tuple)):
        length = len(node)
        return (value for at, value in enumerate(node) if _is_index(at, length, pattern))
    return ()


def _is_literal(pattern: str) -> bool:
    """Whether only a key equal to `pattern` can match it."""
    if _PATTERN_CHARACTERS.intersection(pattern) or pattern in ("True", "False"):
        return False
    return _to_int(pattern) is None


def _is_key(key: object, pattern: str) -> bool:
    if isinstance(key, str):
        return fnmatchcase(key, pattern)
    if isinstance(key, int):
        wanted = _to_int(pattern)
        return fnmatchcase(str(key), pattern) if wanted is None else key == wanted
    return False


def _is_index(index: int, length: int, pattern: str) -> bool:
    wanted = _to_int(pattern)
    if wanted is None:
        return fnmatchcase(str(index), pattern)
    return index in (wanted, length + wanted)


def _to_int(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
