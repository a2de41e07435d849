"""Text as Python's text files give it: DVC reads parameters that way before it edits them."""

from __future__ import annotations

from exprun.errors import ParamsError
from exprun.formats import text as documents


def decode(data: bytes, *, name: str) -> str:
    """`data` as text with ``\\n`` for every newline; raises ParamsError if it is not UTF-8."""
    text = documents.decode(data, name=name, error=ParamsError)
    return text.replace("\r\n", "\n").replace("\r", "\n")
