"""``--params [file:]k1=v1,k2=v2``: the first form in which DVC took parameters.

It is simpler than Hydra's grammar: pairs are split at every comma, values are YAML, and keys may
be new. So a value holds no comma, and without a file no colon either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import ProjectError, UsageError
from exprun.formats.reading import read_yaml
from exprun.params.overrides import DEFAULT_FILE, Operation, Override

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse_pairs(texts: Iterable[str]) -> dict[str, tuple[Override, ...]]:
    """The overrides of each file, as `exprun.params.parsing.parse_overrides` gives them.

    Raises UsageError.
    """
    by_file: dict[str, list[Override]] = {}
    for text in texts:
        file, _, pairs = text.rpartition(":")
        overrides = by_file.setdefault(file or DEFAULT_FILE, [])
        overrides.extend(_parse_pair(pair) for pair in pairs.split(",") if pair)
    return {file: tuple(overrides) for file, overrides in by_file.items()}


def _parse_pair(pair: str) -> Override:
    key, equals, text = pair.partition("=")
    if not (key and equals):
        raise UsageError(
            f"Invalid `--params` value: '{pair}' is not key=value",
            hint="write [file:]key1=value1,key2=value2; for values with commas use -S",
        )
    try:
        value = read_yaml(text, name=pair)
    except ProjectError as error:
        raise UsageError(f"Invalid `--params` value: '{pair}': {error.message}") from error
    return Override(
        text=f"++{pair}", key=key, operation=Operation.FORCE_ADD, value=value, spelling=text
    )
