"""The literals that a Python module assigns, read from its syntax tree without running it."""

from __future__ import annotations

import ast


def module_literals(text: str) -> dict[str, object]:
    """What DVC takes from a ``.py`` parameters file.

    Top-level ``NAME = literal`` with or without annotation, class bodies as maps, and
    ``self.name = literal`` inside ``__init__``. Everything else is passed over. Raises SyntaxError,
    and ValueError for text that Python's parser cannot take at all.
    """
    return _literals(ast.parse(text).body, in_init=False)


def _literals(body: list[ast.stmt], *, in_init: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    for statement in body:
        match statement:
            case ast.Assign(targets=[target], value=value):
                _assign(found, target, value, in_init=in_init)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                _assign(found, target, value, in_init=in_init)
            case ast.ClassDef(name=name, body=inner):
                found[name] = _literals(inner, in_init=False)
            case ast.FunctionDef(name="__init__", body=inner):
                found.update(_literals(inner, in_init=True))
            case _:
                pass
    return found


def _assign(found: dict[str, object], target: ast.expr, value: ast.expr, *, in_init: bool) -> None:
    match target:
        case ast.Name(id=name) if not in_init:
            pass
        case ast.Attribute(attr=name, value=ast.Name(id="self")):
            pass
        case _:
            return
    try:
        found[name] = ast.literal_eval(value)
    except (ValueError, TypeError):  # an expression, or an unhashable key
        return
