"""Overrides so plain that no parser is needed: what Hydra would read, from regular expressions.

Only spellings of which Hydra's lexer leaves no doubt are read here; everything else is left to
`exprun.params.grammar`. The grammar is `OverrideLexer.g4` and `OverrideParser.g4` of Hydra 1.3.
"""

from __future__ import annotations

from exprun.model.patterns import pattern
from exprun.model.values import dataclass

MAX_CHOICES = 20_000

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_KEY = rf"{_NAME}(?:\.(?:{_NAME}|0|[1-9][0-9]{{0,8}}))*"
# Hydra leaves a number with leading zeros (010) to the words; so does nothing here match it.
_WHOLE = r"(?:0|[1-9][0-9]{0,17})"
_INTEGER = rf"[+-]?{_WHOLE}"
_POINT = rf"(?:{_WHOLE}\.|{_WHOLE}?\.[0-9]{{1,20}})"
_FLOAT = rf"[+-]?(?:(?:{_WHOLE}|{_POINT})[eE][+-]?[0-9]{{1,3}}|{_POINT})"
_WORD = r"[A-Za-z_][A-Za-z0-9_]*(?:[-./][A-Za-z0-9_]+)*"

_OVERRIDE = pattern(
    rf"(?P<prefix>\+\+?|~)?(?P<key>{_KEY})="
    rf"(?:(?P<values>[A-Za-z0-9_+./,-]+)|range\((?P<range>{_INTEGER}(?:,{_INTEGER}){{1,2}})\))"
)
_DELETION = pattern(rf"~(?P<key>{_KEY})")
_IS_SCALAR = pattern(rf"{_INTEGER}|{_FLOAT}|{_WORD}")
_IS_INTEGER = pattern(_INTEGER)
_IS_FLOAT = pattern(_FLOAT)

_RESERVED: dict[str, object] = {"true": True, "false": False, "null": None}
_NOT_FINITE = frozenset({"inf", "nan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainOverride:
    """What a plain override says: one value, or the texts of several `choices`."""

    prefix: str
    key: str
    value: object = None
    spelling: str = ""
    choices: tuple[str, ...] | None = None


def read(text: str) -> PlainOverride | None:
    """The override that `text` is, or ``None`` if it takes the grammar to tell."""
    if deletion := _DELETION.fullmatch(text):
        return PlainOverride(prefix="~", key=deletion["key"], spelling="null")
    match = _OVERRIDE.fullmatch(text)
    if match is None:
        return None
    prefix, key = match["prefix"] or "", match["key"]
    if match["range"]:
        members = _range(match["range"])
        return PlainOverride(prefix=prefix, key=key, choices=members) if members else None
    texts = match["values"].split(",")
    if not all(map(_is_plain, texts)):
        return None
    values = [scalar(word) for word in texts]
    spellings = tuple(spell(value) for value in values)
    if len(values) > 1:
        return PlainOverride(prefix=prefix, key=key, choices=spellings)
    return PlainOverride(prefix=prefix, key=key, value=values[0], spelling=spellings[0])


def scalar(text: str) -> object:
    """The value of a plain scalar."""
    if _IS_INTEGER.fullmatch(text):
        return int(text)
    if _IS_FLOAT.fullmatch(text):
        return float(text)
    return _RESERVED.get(text.lower(), text)


def spell(value: object) -> str:
    """A plain scalar as Hydra writes it into the override of one experiment of a sweep."""
    return "null" if value is None else str(value)


def _is_plain(text: str) -> bool:
    return _IS_SCALAR.fullmatch(text) is not None and text.lower() not in _NOT_FINITE


def _range(arguments: str) -> tuple[str, ...] | None:
    """The members of ``range(start,stop[,step])``; ``None`` if Hydra has to judge them."""
    start, stop, *rest = map(int, arguments.split(","))
    step = rest[0] if rest else 1
    if step == 0 or not 0 < len(members := range(start, stop, step)) <= MAX_CHOICES:
        return None
    return tuple(map(str, members))
