"""From the bytes of a document to its text, within limits."""

from __future__ import annotations

from typing import Final

from exprun.errors import ProjectError
from exprun.model.values import dataclass

_CONFLICT_MARKERS = ("<<<<<<< ", ">>>>>>> ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a document may be.

    `nodes` bounds what is written in the document; `expanded` what its aliases add to that, so that
    a document of a few lines cannot stand for millions of values. `slow_size` is for TOML and
    Python, whose parsers take twenty times the time or the memory.
    """

    size: int = 10_000_000
    slow_size: int = 500_000
    depth: int = 200
    nodes: int = 800_000
    expanded: int = 100_000


DEFAULT_LIMITS: Final = Limits()


def decode(
    data: bytes | str,
    *,
    name: str,
    error: type[ProjectError] = ProjectError,
    limits: Limits = DEFAULT_LIMITS,
) -> str:
    """The text of a document; raises `error` when it is too large or not UTF-8."""
    if len(data) > limits.size:
        raise error(
            f"the file has {len(data):,} bytes, more than the {limits.size:,} that are read",
            where=name,
        )
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as failure:
        line = data.count(b"\n", 0, failure.start) + 1
        raise error("the file is not valid UTF-8", where=f"{name}:{line}") from None


def conflict_hint(text: str) -> str | None:
    """What to do about a file that still holds the marks of a merge conflict."""
    if any(line.startswith(_CONFLICT_MARKERS) for line in text.splitlines()):
        return "the file holds merge conflict markers: resolve the conflict first"
    return None
