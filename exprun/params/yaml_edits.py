"""YAML parameters, edited in ruamel.yaml's round-trip document; importing this imports ruamel."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from exprun.errors import ParamsError
from exprun.formats.reading import read_yaml
from exprun.model.values import dataclass
from exprun.params.documents import does_not_fit
from exprun.params.newlines import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDocument:
    """The data of a YAML file, with its comments."""

    name: str
    data: dict[Any, Any]

    @classmethod
    def parse(cls, data: bytes | None, *, name: str) -> YamlDocument:
        """The document in `data`; raises ParamsError."""
        if data is None:
            return cls(name=name, data={})
        text = decode(data, name=name)
        read_yaml(text, name=name, error=ParamsError)  # bounds it, and is quick to refuse
        try:
            values = YAML().load(text) or {}
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{name}:{mark.line + 1}" if mark else name
            problem = getattr(error, "problem", None) or error
            raise ParamsError(f"invalid YAML: {problem}", where=where) from error
        except RecursionError as error:
            raise ParamsError("nested too deeply to be edited", where=name) from error
        if not isinstance(values, dict):
            raise ParamsError("holds no map of parameters", where=f"{name}:1")
        return cls(name=name, data=values)

    def place(self, key: str) -> str:
        """The file, and the line of the innermost part of `key` that has one."""
        node: Any = self.data
        line = None
        for part in key.replace("[", ".").replace("]", "").split("."):
            position: int | str = int(part) if part.isdecimal() and isinstance(node, list) else part
            positions = getattr(getattr(node, "lc", None), "data", None) or {}
            if position not in positions:
                break
            line = positions[position][0] + 1
            node = node[position]
        return self.name if line is None else f"{self.name}:{line}"

    def dump(self) -> str:
        """The text in ruamel's layout, which is also DVC's."""
        yaml = YAML()
        yaml.default_flow_style = False
        stream = io.StringIO()
        try:
            yaml.dump(self.data, stream)
        except YAMLError as error:
            raise does_not_fit(self.name, error) from error
        except RecursionError as error:
            raise ParamsError("nested too deeply to be edited", where=self.name) from error
        return stream.getvalue()
