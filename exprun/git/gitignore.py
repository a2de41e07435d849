"""Lines of a .gitignore file: how an output gets in, and how a failed run takes it out again."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPECIAL = pattern(r"[\\\[\]!*#?]")


def ignore_line(name: str) -> str:
    """The line that ignores exactly `name` in the directory of the .gitignore, as DVC writes it."""
    return "/" + _SPECIAL.sub(r"\\\g<0>", name)


def add_line(text: str, name: str, *, before: Iterable[str] = ()) -> str:
    """`text` with the line that ignores `name`, for a name that Git does not ignore yet.

    It comes last, though not after the lines of the names in `before` that end the text. DVC means
    to look for the line first but never finds it, so one that is there (and undone by a later line)
    is written again.
    """
    newline = "" if not text or text.endswith("\n") else "\n"
    lines = text.splitlines(keepends=True)
    at = len(lines)
    later = {ignore_line(each) for each in before}
    while at and lines[at - 1].removesuffix("\n") in later:
        at -= 1
    return "".join([*lines[:at], f"{newline}{ignore_line(name)}\n", *lines[at:]])


def remove_line(text: str, name: str) -> str | None:
    """`text` without the line that `add_line` added; None if nothing is left: delete the file.

    DVC looks for the unescaped name only and so leaves ``/a\\*`` behind; here both are found.
    """
    unwanted = {"/" + name.strip(), ignore_line(name).strip()}
    return "".join(line for line in _lines(text) if line.strip() not in unwanted) or None


def _lines(text: str) -> list[str]:
    """The lines as Python reads a text file: CRLF and CR count as newlines."""
    return io.StringIO(text, newline=None).readlines()
