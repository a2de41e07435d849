"""Strings that need no quotes in YAML 1.2 block style, as ruamel.yaml judges it."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from exprun.formats.scalars import YAML_1_2, resolve_plain
from exprun.model.patterns import pattern

_NEEDS_QUOTES = pattern(
    r"""\A(?:[#,\[\]{}&*!|>'"%@`\ ]|---|\.\.\.|[-?:](?:\ |\Z))
    |:(?:\ |\Z)
    |\ (?:\#|\Z)""",
    re.VERBOSE,
)
"""Indicators, and space at the ends."""


_DECIMAL = pattern(r"-?(?:0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?")
"""The numbers that Python spells as YAML does."""


class NotSimple(Exception):
    """What a text stands for, or how a value is written, is not beyond doubt."""


@cache
def _unusual() -> re.Pattern[str]:
    # Compiling so large a class takes longer than reading many a dvc.lock.
    return re.compile(r"[^ -~\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe]")


def is_one_line(text: str) -> bool:
    """Whether every character of `text` is surely printable on one line."""
    return (text.isascii() and text.isprintable()) or not _unusual().search(text)


@lru_cache(maxsize=1024)  # keys and file names come again with every stage
def is_plain(text: str) -> bool:
    """Whether `text` is written bare, and read back bare gives `text` again.

    Says False where it is not sure.
    """
    if not text or _NEEDS_QUOTES.search(text) or not is_one_line(text):
        return False
    try:
        return resolve_plain(text, YAML_1_2) is text
    except ValueError:
        return False


def read_plain(text: str) -> object:
    """The value of a bare scalar on one line; raises ValueError where it is not surely one."""
    number = _DECIMAL.fullmatch(text)
    if number:
        return float(text) if number[1] else int(text)
    if not text or _NEEDS_QUOTES.search(text) or not is_one_line(text):
        raise ValueError(text)
    value = resolve_plain(text, YAML_1_2)
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ValueError(text)
