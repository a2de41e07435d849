"""A parameters file between reading and writing: data to change, and its text to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from exprun.errors import UsageError
from exprun.params import direct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.params.overrides import Override


class Document(Protocol):
    """The data of one file, in whatever classes its parser keeps comments and styles."""

    @property
    def name(self) -> str:
        """The file, for messages."""

    @property
    def data(self) -> dict[Any, Any]:
        """The data, to be changed in place."""

    def place(self, key: str) -> str:
        """The file and, if it is known, the line of a key as OmegaConf writes it (``a.b[0]``)."""

    def dump(self) -> str:
        """The text of the file with the data as it is now. Raises ParamsError."""


def change(document: Document, overrides: Sequence[Override]) -> None:
    """Make `document` hold what `overrides` say. Raises UsageError or ParamsError.

    Like DVC it sets every parameter anew, changed or not: that is what drops the comments inside
    lists, turns flow lists into blocks, and writes the keys of a YAML ``<<`` out.
    """
    changed = _to_plain(document.data)
    try:
        direct.apply(changed, overrides)
    except direct.NotPlainError:
        from exprun.params import merging

        changed = merging.apply(
            _to_plain(document.data), overrides, name=document.name, place=document.place
        )
    try:
        _merge(document.data, changed)
        _remove_missing(document.data, changed)
    except (TypeError, ValueError, LookupError) as error:
        raise does_not_fit(document.name, error) from error


def does_not_fit(name: str, error: BaseException) -> UsageError:
    """The error for a value that the format of the file has no way to write."""
    return UsageError(f"Invalid `--set-param` value: {name} cannot hold it: {error}")


def _to_plain(item: Any) -> Any:
    """`item` with the parser's own maps and lists replaced by dicts and lists."""
    if isinstance(item, dict):
        return {key: _to_plain(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_to_plain(value) for value in item]
    return item


def _merge(target: dict[Any, Any], source: dict[Any, Any]) -> None:
    for key, value in source.items():
        current = target.get(key)
        if isinstance(current, dict) and isinstance(value, dict):
            _merge(current, value)
        else:
            target[key] = value


def _remove_missing(target: dict[Any, Any], source: dict[Any, Any]) -> None:
    for key in list(target.keys()):
        if key not in source:
            del target[key]
        elif isinstance(target[key], dict):
            _remove_missing(target[key], source[key])
