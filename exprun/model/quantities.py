"""Amounts as people write them: sizes such as ``16G`` and durations such as ``1h30m``."""

from __future__ import annotations

import math
import re

from exprun.model.patterns import pattern

_SIZE = pattern(r"(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_UNITS_S = {"d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}
_DURATION = pattern(r"(?:(\d+(?:\.\d+)?) ?([dhms]|$) ?)+", re.IGNORECASE)
_DURATION_PART = pattern(r"(\d+(?:\.\d+)?) ?([dhms]|$)", re.IGNORECASE)


def parse_size(value: object) -> int:
    """Bytes, from a whole number of them or text; K, M, G and T are powers of 1024.

    Raises ValueError, whose text says what was expected.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        number, unit = found.groups()
        return int(float(number) * 1024 ** _POWERS[unit.lower()])
    raise ValueError("a size such as 16G or 512M is expected")


def parse_duration(value: object) -> float:
    """Seconds, from a number of them or text such as ``2h``, ``90s`` and ``1h30m``; more than none.

    Raises ValueError, whose text says what was expected.
    """
    seconds = _seconds(value)
    if seconds is None or not 0 < seconds < math.inf:
        raise ValueError("a duration such as 90s, 2h or 1h30m is expected")
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str) or not _DURATION.fullmatch(value.strip()):
        return None
    parts = _DURATION_PART.findall(value.strip())
    return sum(float(number) * _UNITS_S[unit.lower()] for number, unit in parts)


def format_size(size: int) -> str:
    """Bytes in the largest unit in which they are at least one, as `parse_size` reads it."""
    for unit in "TGMK":
        amount = size / 1024 ** _POWERS[unit.lower()]
        if amount >= 1:
            return f"{amount:.4g}{unit}"
    return str(size)
