"""DVC 3.67.1's own answers, in-process."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import (
    apply_overrides,
    compose_and_dump,
    get_hydra_sweeps,
    to_hydra_overrides,
)

from exprun.errors import ExprunError
from exprun.params import edits
from exprun.params.parsing import parse_override

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer of "no": the reasons differ in words, so they are not compared."""

    reason: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refused)

    __hash__ = None  # type: ignore[assignment]


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def edited_by_dvc(path: Path, data: bytes | None, overrides: Sequence[str]) -> bytes | Refused:
    """The bytes DVC leaves in the file `path` that held `data`."""
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)
    try:
        with _quiet():
            apply_overrides(path, list(overrides))
    except Exception as error:
        return Refused(repr(error))
    return path.read_bytes()


def edited_by_exprun(name: str, data: bytes | None, overrides: Sequence[str]) -> bytes | Refused:
    """The bytes exprun would write."""
    try:
        with _quiet():
            return edits.apply_overrides(data, name, [parse_override(text) for text in overrides])
    except ExprunError as error:
        return Refused(repr(error))


def parsed_by_dvc(text: str) -> Any:
    """Hydra's own Override, or Refused."""
    try:
        return to_hydra_overrides([text])[0]
    except Exception as error:
        return Refused(repr(error))


def sweeps_by_dvc(texts: Sequence[str]) -> list[dict[str, list[str]]] | Refused:
    """What DVC would queue."""
    try:
        sweeps = get_hydra_sweeps(to_path_overrides(texts))
    except Exception as error:
        return Refused(repr(error))
    return [{file: list(each) for file, each in sweep.items()} for sweep in sweeps]


def composed_by_dvc(output: Path, *arguments: Any) -> bytes | Refused:
    """The params.yaml DVC composes."""
    try:
        compose_and_dump(output, *arguments)
    except Exception as error:
        return Refused(repr(error))
    return output.read_bytes()
