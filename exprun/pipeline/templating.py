"""Replacing ``${…}`` in the values of a dvc.yaml, with DVC's rules for types and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.model.values import dataclass, field
from exprun.pipeline.context import Context, Ref
from exprun.pipeline.expressions import ESCAPED, EXPRESSION, OPENING, has_expression
from exprun.pipeline.problem import Problem
from exprun.pipeline.unpacking import ParsingOptions, to_options

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from exprun.pipeline.context import Words

Tracked = dict[str, dict[str, object]]
"""File -> dotted key -> value: what templates took from parameter files."""


@dataclass(slots=True)
class Budget:
    """How much text and how many values templates may still make, over a whole dvc.yaml.

    A short file can ask for twenty thousand stages that each hold a megabyte of parameters.
    """

    left: int = 64_000_000

    def spend(self, amount: int) -> None:
        """Raise Problem when the file asks for too much."""
        self.left -= amount
        if self.left < 0:
            raise Problem("templates expand to more text than can be held")


_VALUE_COST = 16


@dataclass(slots=True, kw_only=True)
class Resolver:
    """Resolves values against one context, collecting what came from parameter files."""

    context: Context
    budget: Budget
    parsing: ParsingOptions = field(default_factory=ParsingOptions)
    tracked: Tracked = field(default_factory=dict)

    def stage_value(self, value: object, key: str) -> object:
        """`value` of a stage's `key`: lists and, outside ``cmd``, maps cannot be interpolated."""

        def check(selected: object) -> object:
            if isinstance(selected, list) or (isinstance(selected, dict) and key != "cmd"):
                kind = "list" if isinstance(selected, list) else "dict"
                raise Problem(f"cannot interpolate data of type '{kind}'")
            return selected

        return self._resolve(value, lambda text: self._text(text, check))

    def free_value(self, value: object) -> object:
        """`value` of a section outside the stages, where any type may be interpolated."""
        return self._resolve(value, lambda text: self._text(text, None))

    def group_value(self, value: object) -> object:
        """`value` of ``foreach`` or ``matrix``; what an expression selects stays a Ref."""

        def resolve(text: str) -> object:
            if not _is_exact(text):
                return self._text(text, None)
            selected = self.context.select(text[2:-1])
            if selected.origin is None:
                return selected.value
            return Ref(selected.value, selected.origin)

        return self._resolve(value, resolve)

    def _resolve(self, value: object, text: Callable[[str], object]) -> object:
        if isinstance(value, str):
            if OPENING not in value:
                return value
            resolved = text(value)
            if isinstance(resolved, str):
                self.budget.spend(len(resolved))
            return resolved
        if isinstance(value, dict):
            self.budget.spend(_VALUE_COST * len(value))
            return {
                self._key(key, text): self._resolve(inner, text) for key, inner in value.items()
            }
        if isinstance(value, (list, tuple, set)):
            self.budget.spend(_VALUE_COST * len(value))
            return type(value)([self._resolve(item, text) for item in value])
        return value

    def _key(self, key: object, text: Callable[[str], object]) -> object:
        if not isinstance(key, str) or OPENING not in key:
            return key
        resolved = text(key)
        if isinstance(resolved, (dict, list, Ref)):
            raise Problem(f"'{key}' cannot be a key")
        return resolved

    def _text(self, text: str, check: Callable[[object], object] | None) -> object:
        def select(inner: str) -> object:
            value, origin = self.context.select(inner)
            if origin is not None:
                self._track(value, origin)
            return check(value) if check is not None else value

        if _is_exact(text):
            return select(text[2:-1])

        def replace(match: re.Match[str]) -> str:
            return to_text(select(match[1]), self.parsing)

        return EXPRESSION.sub(replace, text).replace(ESCAPED, OPENING)

    def _track(self, value: object, origin: Words) -> None:
        """Remember a value taken from a file; DVC does not do so for maps."""
        if not isinstance(value, (dict, list)) and (source := self.context.source_of(origin)):
            self.tracked.setdefault(source, {})[".".join(origin)] = value


def _is_exact(text: str) -> bool:
    """Whether the whole text is one expression, which then keeps its type."""
    match = EXPRESSION.match(text)
    return match is not None and match.end() == len(text)


def to_text(value: object, parsing: ParsingOptions) -> str:
    """A value inside other text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return to_options(value, parsing)
    return str(value)


def refuse_expressions(value: object, where: str) -> None:
    """Raise Problem if there is an expression anywhere in `value`."""
    if isinstance(value, str):
        if has_expression(value):
            raise Problem(f"'{where}': interpolating is not allowed")
    elif isinstance(value, dict):
        for key, inner in value.items():
            refuse_expressions(key, where)
            refuse_expressions(inner, where)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            refuse_expressions(item, where)
