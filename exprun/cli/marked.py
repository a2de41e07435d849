"""Output of stages that run at the same time, as whole lines that each tell whose they are."""

from __future__ import annotations

import sys

LONGEST_LINE = 1 << 14


class MarkedLines:
    """Prints the lines of each stage once they are whole, with its mark before them.

    Of a line that a progress bar has drawn over and over, the last state is printed. A line of more
    than `LONGEST_LINE` bytes is broken. The logs have every byte.
    """

    def __init__(self) -> None:
        self._partial: dict[str, bytes] = {}

    def add(self, whose: str, data: bytes) -> None:
        """Print what is whole now of what `whose` stage wrote."""
        rest = self._partial.get(whose, b"")
        end = data.rfind(b"\n")
        if end >= 0:
            _print_lines(whose, rest, data[:end])
            rest = b""
        rest += data[end + 1 :]
        while len(rest) > LONGEST_LINE:
            _print_lines(whose, rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._partial[whose] = rest

    def end(self, whose: str) -> None:
        """Print what was never ended by a newline."""
        rest = self._partial.pop(whose, b"")
        if rest:
            _print_lines(whose, rest)


def _print_lines(whose: str, begin: bytes, lines: bytes = b"") -> None:
    """Print `begin` and `lines` as a terminal would show them in the end, whatever they are.

    All in one go, and copied as seldom as can be: a stage may print faster than each line could be
    looked at.
    """
    mark = f"{whose} | "
    is_plain = lines.isascii() and begin.isascii() and mark.isascii()
    if not is_plain or b"\r" in begin or b"\r" in lines:
        sys.stdout.write(_marked(mark, begin + lines) + "\n")
        sys.stdout.flush()
        return
    out = sys.stdout.buffer
    out.write(mark.encode() + begin)
    out.write(lines.replace(b"\n", f"\n{mark}".encode()))
    out.write(b"\n")
    out.flush()


def _marked(mark: str, lines: bytes) -> str:
    """Lines with all that they were drawn over with left out, and `mark` before each."""
    drawn = (line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines.split(b"\n"))
    text = b"\n".join(drawn).decode("utf-8", "replace")
    return mark + text.replace("\n", f"\n{mark}")
