"""Where ruamel.yaml, unlike libyaml, does not accept a tab character in YAML.

A tab may stand in a quoted or block scalar and in a comment. Elsewhere, even inside plain text,
DVC refuses the file, so a file that exprun took would break for everybody who uses `dvc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yaml.events import ScalarEvent

from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMENT = pattern(r"(?:^|(?<=[ \t]))#.*")
_NOT_NEWLINE = pattern(r"[^\n]")


def misplaced_tab(text: str, events: Iterable[Any]) -> int | None:
    """The number of the first line with a tab that DVC would refuse."""
    for number, line in enumerate(_outside_of_scalars(text, events).split("\n"), start=1):
        if "\t" in line and "\t" in _COMMENT.sub("", line):
            return number
    return None


def _outside_of_scalars(text: str, events: Iterable[Any]) -> str:
    """`text` with every quoted and block scalar blanked, line for line."""
    pieces = []
    position = 0
    for event in events:
        if isinstance(event, ScalarEvent) and event.style:
            marks: Any = event
            start, end = marks.start_mark.index, marks.end_mark.index
            pieces += [text[position:start], _NOT_NEWLINE.sub(".", text[start:end])]
            position = end
    return "".join(pieces) + text[position:]
