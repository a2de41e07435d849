"""Parameter files by suffix: YAML, JSON, TOML, and the literals of a Python module."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from exprun.errors import ParamsError
from exprun.formats.reading import YamlReader, read_yaml
from exprun.formats.text import DEFAULT_LIMITS, Limits, conflict_hint, decode
from exprun.model.patterns import pattern
from exprun.model.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable


_DOTTED = pattern(r"""(?<![\w\-"'.])(?:[\w\-"']++[ \t]*+\.[ \t]*+)++""")
"""A run of words joined by dots."""


def load_params(
    data: bytes, *, name: str, limits: Limits = DEFAULT_LIMITS, yaml: YamlReader = read_yaml
) -> dict[str, object]:
    """The values of a parameters file, by its suffix; anything unknown is YAML, as in DVC.

    Keys of YAML may be of any hashable type. Raises ParamsError, naming file and line, when the
    file cannot be parsed, exceeds the limits, or does not hold a map.
    """
    values = load_document(data, name=name, limits=limits, yaml=yaml)
    if not isinstance(values, dict):
        raise ParamsError(f"expected a map of parameters, got {_kind(values)}", where=name)
    return values


def load_document(
    data: bytes, *, name: str, limits: Limits = DEFAULT_LIMITS, yaml: YamlReader = read_yaml
) -> object:
    """The value of a document, by the file's suffix; an empty one is an empty map.

    Raises ParamsError.
    """
    parse = _PARSERS.get(posixpath.splitext(name)[1].lower())
    if parse is None:
        return yaml(data, name=name, error=ParamsError, limits=limits) or {}
    if parse is not _parse_json:
        limits = replace(limits, size=min(limits.size, limits.slow_size))
    text = decode(data, name=name, error=ParamsError, limits=limits)
    try:
        return parse(text, name, limits)
    except RecursionError:
        raise ParamsError(f"nested deeper than {limits.depth} levels", where=name) from None


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else f"'{value}'"


def _parse_json(text: str, name: str, limits: Limits) -> object:
    import json

    try:
        values = json.loads(text)
    except json.JSONDecodeError as failure:
        raise ParamsError(
            f"invalid JSON: {failure.msg}",
            where=f"{name}:{failure.lineno}",
            hint=conflict_hint(text),
        ) from None
    except ValueError as failure:  # an integer of thousands of digits
        raise ParamsError(f"invalid JSON: {failure}", where=name) from None
    _check_depth(values, name, limits)
    return values or {}


def _parse_toml(text: str, name: str, limits: Limits) -> object:
    import tomllib

    if any(run.count(".") > limits.depth for run in _DOTTED.findall(text)):
        # The time that tomllib needs for a key grows with the square of its parts.
        raise ParamsError(f"a key has more than {limits.depth} parts", where=name)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise ParamsError(
            f"invalid TOML: {failure}", where=_toml_place(name, failure), hint=conflict_hint(text)
        ) from None
    _check_depth(values, name, limits)
    return values


def _toml_place(name: str, failure: ValueError) -> str:
    # Python 3.11 gives the line only inside the message: "… (at line 3, column 5)".
    _, _, place = str(failure).rpartition("(at line ")
    line = place.partition(",")[0]
    return f"{name}:{line}" if line.isdigit() else name


def _parse_python(text: str, name: str, limits: Limits) -> object:
    from exprun.formats.python_literals import module_literals

    try:
        values = module_literals(text)
    except SyntaxError as failure:
        raise ParamsError(
            f"invalid Python: {failure.msg}",
            where=f"{name}:{failure.lineno}",
            hint=conflict_hint(text),
        ) from None
    except (ValueError, MemoryError) as failure:  # a null byte; nesting beyond the parser's stack
        raise ParamsError(f"invalid Python: {failure or 'too deeply nested'}", where=name) from None
    _check_depth(values, name, limits)
    return values


def _check_depth(value: object, name: str, limits: Limits) -> None:
    """Walk level by level, so that the check itself cannot overflow the stack."""
    level: list[Any] = [[value]]
    for _ in range(limits.depth + 2):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list, tuple))
        ]
        if not level:
            return
    raise ParamsError(f"nested deeper than {limits.depth} levels", where=name)


_PARSERS: dict[str, Callable[[str, str, Limits], object]] = {
    ".json": _parse_json,
    ".toml": _parse_toml,
    ".py": _parse_python,
}
