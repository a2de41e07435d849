"""The new text of a parameters file after overrides, to the byte what DVC would write."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from exprun.errors import ParamsError, UsageError
from exprun.params import documents, yaml_lines
from exprun.params.overrides import Sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.params.documents import Document
    from exprun.params.overrides import Override


def apply_overrides(data: bytes | None, name: str, overrides: Sequence[Override]) -> bytes:
    """The bytes of the file `name`, which held `data`, after `overrides`, applied in order.

    The suffix of `name` tells the format: ``.json``, ``.toml``, ``.py``, and YAML for all others.
    ``None`` stands for a file that does not exist yet. Comments and key order are kept as far as
    DVC keeps them; the rest of the text is normalised as DVC does.

    Raises UsageError for an override that does not fit the file, and ParamsError (with the line,
    where it is known) for a file that cannot be read or edited.
    """
    for override in overrides:
        if isinstance(override.value, Sweep):
            raise UsageError(
                f"Invalid `--set-param` value: a sweep is not one value\n  {override.text}"
            )
    suffix = posixpath.splitext(name)[1].lower()
    if data is not None and suffix not in _FORMATS:
        edited = yaml_lines.edit(data, overrides)
        if edited is not None:
            return edited
    document = _open(data, name, suffix)
    documents.change(document, overrides)
    try:
        return document.dump().encode()
    except UnicodeEncodeError as error:
        raise documents.does_not_fit(name, error) from error


_FORMATS = frozenset((".json", ".toml", ".py"))


def _open(data: bytes | None, name: str, suffix: str) -> Document:
    """The document of a file; each format loads its library only when a file needs it."""
    match suffix:
        case ".json":
            from exprun.params.json_edits import JsonDocument

            return JsonDocument.parse(data, name=name)
        case ".toml":
            from exprun.params.toml_edits import TomlDocument

            return TomlDocument.parse(data, name=name)
        case ".py":
            if data is None:
                raise ParamsError("the file does not exist", where=name)
            from exprun.params.python_edits import PythonDocument

            return PythonDocument.parse(data, name=name)
        case _:
            from exprun.params.yaml_edits import YamlDocument

            return YamlDocument.parse(data, name=name)
