"""``-S [file:]key=value``: what the user asks to be set, by parameters file.

The grammar is Hydra's. Most overrides are plain (``lr=0.1``), and for those the tables of
`exprun.params.plain` say what Hydra would, without its quarter of a second of imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.params import plain
from exprun.params.overrides import DEFAULT_FILE, Operation, Override, Sweep, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse_overrides(texts: Iterable[str]) -> dict[str, tuple[Override, ...]]:
    """The overrides of each file, files and overrides in the order given.

    A file is named as the user spells it, relative to where the command runs. Raises UsageError.
    """
    by_file: dict[str, list[Override]] = {}
    for text in texts:
        file, override = split_file(text)
        by_file.setdefault(file, []).append(parse_override(override))
    return {file: tuple(overrides) for file, overrides in by_file.items()}


def split_file(text: str) -> tuple[str, str]:
    """The file and the override in ``[file:]key=value``.

    Only a colon before the first ``=`` ends a file's name. Raises UsageError for an empty one.
    """
    if ":" not in text.partition("=")[0]:
        return DEFAULT_FILE, text
    file, _, override = text.partition(":")
    if not file:
        raise invalid(text, "no file name before ':'", column=0)
    return file, override


def parse_override(text: str) -> Override:
    """The override that `text` (without a file part) is. Raises UsageError."""
    found = plain.read(text)
    if found is None:
        from exprun.params import grammar

        return grammar.parse(text)
    value = found.value
    if found.choices is not None:
        value = Sweep(choices=found.choices)
    return Override(
        text=text,
        key=found.key,
        operation=Operation(found.prefix),
        value=value,
        spelling=found.spelling,
    )
