"""Overrides read by Hydra's own parser; importing this module imports Hydra."""

from __future__ import annotations

import itertools
import threading

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    OverrideType,
    QuotedString,
    ValueType,
)
from hydra.core.override_parser.types import Override as HydraOverride
from hydra.errors import HydraException

from exprun.params.overrides import Operation, Override, Sweep, invalid
from exprun.params.plain import MAX_CHOICES

_OPERATIONS = {
    OverrideType.CHANGE: Operation.CHANGE,
    OverrideType.ADD: Operation.ADD,
    OverrideType.FORCE_ADD: Operation.FORCE_ADD,
    OverrideType.DEL: Operation.DELETE,
}

_UNSUPPORTED = {
    ValueType.GLOB_CHOICE_SWEEP: "glob() is not supported: there are no groups to choose from",
    ValueType.INTERVAL_SWEEP: "interval() is not supported: it has no end of values to try",
}

# ANTLR's parsers share the tables that they learn while parsing, and those know no threads.
_parsing = threading.Lock()


def parse(text: str) -> Override:
    """The override that `text` (without a file part) is. Raises UsageError."""
    try:
        with _parsing:
            parsed = OverridesParser.create().parse_override(text)
        return _understand(parsed, text)
    except HydraException as error:
        raise invalid(text, _reason(error, text), column=_column(error.__cause__)) from error
    except RecursionError as error:
        raise invalid(text, "the value is nested too deeply") from error


def _understand(parsed: HydraOverride, text: str) -> Override:
    if parsed.value_type in _UNSUPPORTED:
        raise invalid(text, _UNSUPPORTED[parsed.value_type])
    swept = parsed.is_sweep_override()
    return Override(
        text=text,
        key=parsed.key_or_group,
        operation=_OPERATIONS[parsed.type],
        value=_sweep(parsed, text) if swept else _plain(parsed.value(), text),
        spelling="" if swept else parsed.get_value_element_as_str(),
        package=parsed.package,
    )


def _sweep(parsed: HydraOverride, text: str) -> Sweep:
    sweep = parsed._value
    try:
        members = sweep.list if isinstance(sweep, ChoiceSweep) else sweep.range()
        choices = list(itertools.islice(members, MAX_CHOICES + 1))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise invalid(text, str(error)) from error
    if len(choices) > MAX_CHOICES:
        raise invalid(text, f"a sweep may have at most {MAX_CHOICES} values")
    for choice in choices:
        _plain(HydraOverride._convert_value(choice), text)
    return Sweep(
        choices=tuple(map(HydraOverride._get_value_element_as_str, choices)),
        shuffled=sweep.shuffle,
    )


def _plain(value: object, text: str) -> object:
    """`value`, known to hold nothing but data (``[choice(1,2)]`` holds a sweep)."""
    children: list[object] = []
    if isinstance(value, dict):
        children = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        children = value
    elif not isinstance(value, (str, int, float, type(None))) or isinstance(value, QuotedString):
        raise invalid(text, "a sweep cannot be part of a list or a map")
    for child in children:
        _plain(child, text)
    return value


def _reason(error: HydraException, text: str) -> str:
    if "=" not in text:
        return "there is no '='"
    if _is_lexical(error.__cause__):
        return "a character that cannot stand here"
    return str(error).partition("\n")[0]


def _is_lexical(cause: BaseException | None) -> bool:
    return getattr(cause, "startIndex", None) is not None


def _column(cause: BaseException | None) -> int | None:
    """Where in the text ANTLR stopped, if it says."""
    if _is_lexical(cause):
        return int(cause.startIndex)  # type: ignore[union-attr]
    token = getattr(cause, "offendingToken", None)
    return None if token is None else int(token.column)
