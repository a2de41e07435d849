"""TOML parameters, edited in tomlkit's document, which keeps the style."""

from __future__ import annotations

from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError

from exprun.errors import ParamsError
from exprun.formats.documents import load_params
from exprun.model.values import dataclass
from exprun.params.documents import does_not_fit
from exprun.params.newlines import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlDocument:
    """The data of a TOML file, with its comments."""

    name: str
    data: dict[Any, Any]

    @classmethod
    def parse(cls, data: bytes | None, *, name: str) -> TomlDocument:
        """The document in `data`; raises ParamsError."""
        if data is None:
            return cls(name=name, data={})
        text = decode(data, name=name)
        load_params(text.encode(), name=name)  # bounds it, and has the better messages
        try:
            return cls(name=name, data=tomlkit.loads(text))
        except ParseError as error:
            raise ParamsError(f"invalid TOML: {error}", where=f"{name}:{error.line}") from error
        except (TOMLKitError, RecursionError) as error:
            raise ParamsError(f"invalid TOML: {error}", where=name) from error

    def place(self, key: str) -> str:
        """The file: its parser keeps no lines."""
        return self.name

    def dump(self) -> str:
        """The text, its style kept."""
        try:
            return tomlkit.dumps(self.data)
        except (TOMLKitError, TypeError, ValueError) as error:
            raise does_not_fit(self.name, error) from error
