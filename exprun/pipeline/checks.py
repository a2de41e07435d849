"""The few kinds of check that DVC's schemas are made of: functions of a value and its path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from exprun.pipeline.problem import Path, Problem

Check = Callable[[Any, Path], None]


def fail(expected: str, path: Path) -> NoReturn:
    """Refuse the value at `path`."""
    raise Problem(f"{place(path)}expected {expected}", path)


def place(path: Path) -> str:
    """How a message names the value at `path`; empty for the document itself."""
    return f"'{'.'.join(map(str, path))}': " if path else ""


def text(value: object, path: Path) -> None:
    """Text."""
    if not isinstance(value, str):
        fail("text", path)


def flag(value: object, path: Path) -> None:
    """True or false, and not just anything that counts as such."""
    if not isinstance(value, bool):
        fail("true or false", path)


def anything(value: object, path: Path) -> None:
    """No check at all."""


def check_map(
    value: object,
    path: Path,
    checks: Mapping[str, Check],
    what: str,
    required: tuple[str, ...] = (),
) -> None:
    """A map with no other keys than those of `checks`; `what` names it in messages."""
    if not isinstance(value, dict):
        fail("a map", path)
    for key, inner in value.items():
        check = checks.get(key)
        if check is None:
            hint = _meant(str(key), checks)
            raise Problem(f"{place(path)}unknown key '{key}' in {what}", (*path, key), hint=hint)
        check(inner, (*path, key))
    for key in required:
        if key not in value:
            raise Problem(f"{place(path)}required key '{key}' is missing", path)


def _meant(key: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(sorted(known))}"


def list_of(check: Check) -> Check:
    """A list of what `check` accepts."""

    def check_list(value: object, path: Path) -> None:
        if not isinstance(value, list):
            fail("a list", path)
        for index, item in enumerate(value):
            check(item, (*path, index))

    return check_list


def map_of(check: Check) -> Check:
    """A map from any text to what `check` accepts."""

    def check_entries(value: object, path: Path) -> None:
        if not isinstance(value, dict):
            fail("a map", path)
        for key, inner in value.items():
            if not isinstance(key, str):
                raise Problem(f"{place(path)}key '{key}' must be text: quote it", (*path, key))
            check(inner, (*path, key))

    return check_entries


def either(*kinds: type, expected: str) -> Check:
    """A value of one of these types."""

    def check_kind(value: object, path: Path) -> None:
        if not isinstance(value, kinds):
            fail(expected, path)

    return check_kind


def text_or(check: Check, *, kinds: tuple[type, ...] = (dict,), expected: str) -> Check:
    """Text, or a value of one of these types that `check` accepts."""

    def check_either(value: object, path: Path) -> None:
        if isinstance(value, kinds):
            check(value, path)
        elif not isinstance(value, str):
            fail(expected, path)

    return check_either
