"""What a plain YAML scalar means, by the rules of YAML 1.2 or, when asked, 1.1.

The patterns follow the type repository of YAML 1.1 (yaml.org/type) with the changes of YAML 1.2's
core schema as ruamel.yaml applies them, because that is what DVC reads with: ``yes`` is a string,
``010`` is ten, ``1e3`` is a float, and timestamps and ``<<`` stay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable

Version = tuple[int, int]

YAML_1_1: Version = (1, 1)
YAML_1_2: Version = (1, 2)


class Merge:
    """The value of the plain key ``<<``."""


class Default:
    """The value of the plain scalar ``=``, which is only good for a key."""


MERGE = Merge()
DEFAULT = Default()

# As in ruamel.yaml there is but one: equal to itself within a list or a map, though not alone.
_NAN = float("nan")
_BOOLS = {"true": True, "yes": True, "on": True, "y": True} | {
    "false": False,
    "no": False,
    "off": False,
    "n": False,
}
_WORDS: dict[str, object] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    "<<": MERGE,
    "=": DEFAULT,
}
_WORDS_1_1: dict[str, object] = _WORDS | {
    variant: value
    for word, value in _BOOLS.items()
    for variant in (word, word.capitalize(), word.upper())
}

_FLOAT = pattern(
    r"""[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN)""",
    re.VERBOSE,
)
_FLOAT_1_1 = pattern(
    r"""[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |\.[0-9_]+(?:[eE][-+][0-9]+)?
    |[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN)""",
    re.VERBOSE,
)
_INT = pattern(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)")
_INT_1_1 = pattern(
    r"""[-+]?(?:0b[01_]+|0?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+
    |[1-9][0-9_]*(?::[0-5]?[0-9])+)""",
    re.VERBOSE,
)
_TIMESTAMP = pattern(
    r"""[0-9]{4}-[0-9]{2}-[0-9]{2}
    |[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}
     (?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?""",
    re.VERBOSE,
)
_TIMESTAMP_PARTS = pattern(
    r"""([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})
    (?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?
    (?:[ \t]*(Z|([-+])([0-9]{1,2})(?::([0-9]{2}))?))?)?""",
    re.VERBOSE,
)
_NUMERIC_STARTS = frozenset("-+.0123456789")


def resolve_plain(text: str, version: Version) -> object:
    """The value of an unquoted scalar without a tag.

    Raises ValueError for text that has the form of a number or date but not the meaning.
    """
    if text and text[0] in _NUMERIC_STARTS:
        return _resolve_number(text, version)
    words = _WORDS if version == YAML_1_2 else _WORDS_1_1
    return words.get(text, text)


def _resolve_number(text: str, version: Version) -> object:
    new = version == YAML_1_2
    if (_FLOAT if new else _FLOAT_1_1).fullmatch(text):
        return to_float(text, version)
    if (_INT if new else _INT_1_1).fullmatch(text) and text[0] != ".":
        return to_int(text, version)
    if _TIMESTAMP.fullmatch(text) and text[0] not in "+-":
        return to_timestamp(text)
    return text


def to_bool(text: str) -> bool:
    """The value of a scalar tagged ``!!bool``; raises ValueError."""
    try:
        return _BOOLS[text.lower()]
    except KeyError:
        raise ValueError(f"not a boolean: {text}") from None


def to_int(text: str, version: Version) -> int:
    """The value of a scalar that is, or is tagged, an integer; raises ValueError."""
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits[1:] if digits[:1] in ("-", "+") else digits
    for prefix, base in (("0b", 2), ("0x", 16), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    if version == YAML_1_1 and digits.startswith("0") and digits != "0":
        return sign * int(digits, 8)
    if version == YAML_1_1 and ":" in digits:
        return sign * int(_sexagesimal(digits, int))
    return sign * int(digits)


def to_float(text: str, version: Version) -> float:
    """The value of a scalar that is, or is tagged, a float; raises ValueError."""
    digits = text.replace("_", "").lower()
    sign = -1.0 if digits.startswith("-") else 1.0
    digits = digits[1:] if digits[:1] in ("-", "+") else digits
    if digits == ".nan":
        return _NAN
    if digits == ".inf":
        return sign * float("inf")
    if version == YAML_1_1 and ":" in digits:
        return sign * _sexagesimal(digits, float)
    return sign * float(digits)


def _sexagesimal(digits: str, number: Callable[[str], float]) -> float:
    total: float = 0
    for part in digits.split(":"):
        total = total * 60 + number(part)
    return total


def to_timestamp(text: str) -> object:
    """The date or datetime of a timestamp; raises ValueError."""
    import datetime  # dates are rare, and the module is not free at start-up

    match = _TIMESTAMP_PARTS.fullmatch(text)
    if match is None:
        raise ValueError(f"not a timestamp: {text}")
    year, month, day, hour, minute, second, fraction, zone, sign, zone_h, zone_m = match.groups()
    date = datetime.date(int(year), int(month), int(day))
    if hour is None:
        return date
    tzinfo = None
    if zone:
        offset = datetime.timedelta(hours=int(zone_h or 0), minutes=int(zone_m or 0))
        tzinfo = datetime.timezone(-offset if sign == "-" else offset, zone)
    micros, carry = _microseconds(fraction or "")
    time = datetime.time(int(hour), int(minute), int(second), micros, tzinfo)
    return datetime.datetime.combine(date, time) + datetime.timedelta(seconds=carry)


def _microseconds(fraction: str) -> tuple[int, int]:
    """Microseconds of a decimal fraction, rounded half up, and the second carried over."""
    micros = int(fraction[:6].ljust(6, "0"))
    if len(fraction) > 6 and fraction[6] > "4":
        micros += 1
    return micros % 1_000_000, micros // 1_000_000
