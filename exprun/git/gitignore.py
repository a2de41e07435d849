"""Lines of a .gitignore file: how an output gets in, and how a failed run takes it out again."""

from __future__ import annotations

import io
import re

_SPECIAL = re.compile(r"[\\\[\]!*#?]")


def ignore_line(name: str) -> str:
    """The line that ignores exactly `name` in the directory of the .gitignore, as DVC writes it."""
    return "/" + _SPECIAL.sub(r"\\\g<0>", name)


def add_line(text: str, name: str) -> str:
    """`text` with the line that ignores `name`, for a name that Git does not ignore yet.

    DVC means to look for the line first but never finds it, so one that is there (and undone by a
    later line) is written again.
    """
    newline = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{newline}{ignore_line(name)}\n"


def remove_line(text: str, name: str) -> str | None:
    """`text` without the line that `add_line` added; None if nothing is left: delete the file.

    DVC looks for the unescaped name only and so leaves ``/a\\*`` behind; here both are found.
    """
    unwanted = {"/" + name.strip(), ignore_line(name).strip()}
    return "".join(line for line in _lines(text) if line.strip() not in unwanted) or None


def _lines(text: str) -> list[str]:
    """The lines as Python reads a text file: CRLF and CR count as newlines."""
    return io.StringIO(text, newline=None).readlines()
