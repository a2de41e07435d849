"""Python parameters: assignments of literals, edited in their line as text.

DVC replaces `` = old`` by `` = new`` in the line of an assignment, with Python's `str` of both
values. Where the source spells a value otherwise (a quoted string, ``1e-3``, a member of a dict)
nothing matches and the text stays as it was. exprun does the same, because results have to agree.
"""

from __future__ import annotations

import ast
from typing import Any

from exprun.errors import ParamsError
from exprun.model.values import dataclass
from exprun.params.documents import does_not_fit
from exprun.params.newlines import decode

# In DVC places and text are parameters among the others, so that interpolation reaches them too:
# a ${...} anywhere in the source is resolved, or refused. These names cannot be Python's.
_PLACES = "places of the assignments"
_TEXT = "text of the module"

_LINE = "lineno"
_VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonDocument:
    """The literals of a module, each with its line, and the source."""

    name: str
    data: dict[Any, Any]

    @classmethod
    def parse(cls, data: bytes, *, name: str) -> PythonDocument:
        """The document in `data`; raises ParamsError."""
        text = decode(data, name=name)
        try:
            values, places = _literals(ast.parse(text).body, in_init=False)
        except SyntaxError as error:
            where = f"{name}:{error.lineno}" if error.lineno else name
            raise ParamsError(f"invalid Python: {error.msg}", where=where) from error
        except (TypeError, ValueError, MemoryError, RecursionError) as error:
            raise ParamsError(f"invalid Python: {error}", where=name) from error
        return cls(name=name, data={**values, _PLACES: places, _TEXT: text})

    def place(self, key: str) -> str:
        """The file: OmegaConf says nothing of lines."""
        return self.name

    def dump(self) -> str:
        """The source with the changed values in it."""
        values = {key: value for key, value in self.data.items() if key not in (_PLACES, _TEXT)}
        lines = self.data[_TEXT].splitlines(keepends=True)
        self._edit(lines, values, self.data[_PLACES])
        text = "".join(lines)
        try:
            ast.parse(text)
        except (SyntaxError, ValueError) as error:
            raise does_not_fit(self.name, error) from error
        return text

    def _edit(self, lines: list[str], values: dict[Any, Any], places: dict[Any, Any]) -> None:
        for key, value in values.items():
            try:
                place = places[key]
                if isinstance(value, dict):
                    self._edit(lines, value, place)
                    continue
                old = place[_VALUE]
            except (KeyError, TypeError):
                raise ParamsError(
                    f"'{key}' is not an assignment that can be edited",
                    where=self.name,
                    hint="only values of module and class level assignments and of their dicts, "
                    "one level deep, can be set in a Python file",
                ) from None
            if value != old:
                line = place[_LINE]
                lines[line] = lines[line].replace(f" = {old}", f" = {value}")


def _literals(
    body: list[ast.stmt], *, in_init: bool
) -> tuple[dict[str, object], dict[str, object]]:
    """The values of the assignments in `body`, and in the same shape where each stands."""
    values: dict[str, object] = {}
    places: dict[str, object] = {}
    for statement in body:
        match statement:
            case (
                ast.Assign(targets=[target], value=value)
                | ast.AnnAssign(target=target, value=ast.expr() as value)
            ):
                if (name := _name(target, in_init=in_init)) is None:
                    continue
                try:
                    literal = ast.literal_eval(value)
                except ValueError:
                    continue
                values[name] = literal
                places[name] = _places(literal, value, statement.lineno - 1)
            case ast.ClassDef(name=name, body=inner):
                values[name], places[name] = _literals(inner, in_init=False)
            case ast.FunctionDef(name="__init__", body=inner):
                inner_values, inner_places = _literals(inner, in_init=True)
                values.update(inner_values)
                places.update(inner_places)
    return values, places


def _places(literal: Any, node: ast.expr, line: int) -> dict[Any, Any]:
    if isinstance(node, ast.Dict):
        return {key: {_LINE: line, _VALUE: value} for key, value in literal.items()}
    return {_LINE: line, _VALUE: literal}


def _name(target: ast.expr, *, in_init: bool) -> str | None:
    match target:
        case ast.Name(id=name) if not in_init:
            return name
        case ast.Attribute(attr=name, value=ast.Name(id="self")):
            return name
        case _:
            return None
