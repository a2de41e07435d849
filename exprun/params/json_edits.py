"""JSON parameters: written on one line, with ASCII escapes, like DVC does."""

from __future__ import annotations

import json
from typing import Any

from exprun.errors import ParamsError
from exprun.formats.documents import load_params
from exprun.model.values import dataclass
from exprun.params.documents import does_not_fit


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonDocument:
    """The data of a JSON file."""

    name: str
    data: dict[Any, Any]

    @classmethod
    def parse(cls, data: bytes | None, *, name: str) -> JsonDocument:
        """The document in `data`; raises ParamsError."""
        return cls(name=name, data={} if data is None else load_params(data, name=name))

    def place(self, key: str) -> str:
        """The file: its parser keeps no lines."""
        return self.name

    def dump(self) -> str:
        """One line without a newline."""
        try:
            return json.dumps(self.data)
        except (TypeError, ValueError) as error:
            raise does_not_fit(self.name, error) from error
        except RecursionError as error:
            raise ParamsError("nested too deeply to be written", where=self.name) from error
