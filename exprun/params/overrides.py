"""What an override is: an operation on one key of a parameters file."""

from __future__ import annotations

import enum

from exprun.errors import UsageError
from exprun.model.values import dataclass

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


def invalid(text: str, reason: str, *, column: int | None = None) -> UsageError:
    """The error for an override that cannot be understood, pointing at `column` if it is known."""
    pointer = "" if column is None else f"\n  {' ' * column}^"
    return UsageError(
        f"Invalid `--set-param` value: {reason}\n  {text}{pointer}",
        hint="write [file:]key=value, and quote a value that holds = , : or brackets: "
        "-S 'key=\"a,b\"'",
    )
