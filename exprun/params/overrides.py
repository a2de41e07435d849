"""``-S [file:]key=value``: what the user asks to be set, by parameters file.

The grammar is Hydra's. Most overrides are plain (``lr=0.1``), and for those the tables of
`exprun.params.plain` say what Hydra would, without its quarter of a second of imports.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from exprun.errors import UsageError
from exprun.model.values import dataclass
from exprun.params import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_FILE = "params.yaml"


class Operation(enum.Enum):
    """What an override does to its key; the value is the prefix that asks for it."""

    CHANGE = ""
    ADD = "+"
    FORCE_ADD = "++"
    DELETE = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Several values for one key, each as the text after its ``=``."""

    choices: tuple[str, ...]
    shuffled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One ``key=value``, understood.

    `text` is what was typed, without the file. `key` is dotted. `value` is plain data, or a
    `Sweep`; ``None`` also stands for the missing value of ``~key``. `spelling` is the value as
    Hydra writes it back, which is how it appears in the experiments of a sweep. `package` is what
    follows an ``@`` (config groups only).
    """

    text: str
    key: str
    operation: Operation
    value: object
    spelling: str = ""
    package: str | None = None

    @property
    def target(self) -> str:
        """Key and prefix: an override replaces an earlier one with the same target in a sweep."""
        package = "" if self.package is None else f"@{self.package}"
        return f"{self.operation.value}{self.key}{package}"


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


def invalid(text: str, reason: str, *, column: int | None = None) -> UsageError:
    """The error for an override that cannot be understood, pointing at `column` if it is known."""
    pointer = "" if column is None else f"\n  {' ' * column}^"
    return UsageError(
        f"Invalid `--set-param` value: {reason}\n  {text}{pointer}",
        hint="write [file:]key=value, and quote a value that holds = , : or brackets: "
        "-S 'key=\"a,b\"'",
    )
