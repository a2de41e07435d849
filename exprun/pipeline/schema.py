"""What may stand in a dvc.yaml: the same documents pass and fail as with DVC's own schema.

The rules are those of ``dvc/schema.py`` of DVC 3.67. They are written as plain functions because
every command checks every dvc.yaml of the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exprun.pipeline.problem import Path, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


PLOT_PROPS = ("template", "x", "y", "x_label", "y_label", "title", "header")


def check_pipeline(document: object) -> None:
    """Raise Problem unless `document` is a dvc.yaml."""
    _check_map(document, (), _PIPELINE, "dvc.yaml")


def _fail(expected: str, path: Path) -> None:
    raise Problem(f"{_place(path)}expected {expected}", path)


def _place(path: Path) -> str:
    return f"'{'.'.join(map(str, path))}': " if path else ""


def _text(value: object, path: Path) -> None:
    if not isinstance(value, str):
        _fail("text", path)


def _flag(value: object, path: Path) -> None:
    if not isinstance(value, bool):
        _fail("true or false", path)


def _anything(value: object, path: Path) -> None:
    pass


def _check_map(
    value: object,
    path: Path,
    checks: Mapping[str, Callable[[Any, Path], None]],
    what: str,
    required: str | None = None,
) -> None:
    if not isinstance(value, dict):
        _fail("a map", path)
        return
    for key, inner in value.items():
        check = checks.get(key)
        if check is None:
            raise Problem(f"{_place(path)}unknown key '{key}' in {what}", (*path, key))
        check(inner, (*path, key))
    if required is not None and required not in value:
        raise Problem(f"{_place(path)}required key '{required}' is missing", path)


def _list_of(check: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
    def check_list(value: object, path: Path) -> None:
        if not isinstance(value, list):
            _fail("a list", path)
            return
        for index, item in enumerate(value):
            check(item, (*path, index))

    return check_list


def _map_of(check: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
    def check_map(value: object, path: Path) -> None:
        if not isinstance(value, dict):
            _fail("a map", path)
            return
        for key, inner in value.items():
            if not isinstance(key, str):
                raise Problem(f"{_place(path)}key '{key}' must be text: quote it", (*path, key))
            check(inner, (*path, key))

    return check_map


def _either(*kinds: type, expected: str) -> Callable[[Any, Path], None]:
    def check_kind(value: object, path: Path) -> None:
        if not isinstance(value, kinds):
            _fail(expected, path)

    return check_kind


def _text_or(
    check: Callable[[Any, Path], None], *, kinds: tuple[type, ...] = (dict,), expected: str
) -> Callable[[Any, Path], None]:
    def check_either(value: object, path: Path) -> None:
        if isinstance(value, kinds):
            check(value, path)
        elif not isinstance(value, str):
            _fail(expected, path)

    return check_either


_texts = _list_of(_text)
_text_or_map = _either(str, dict, expected="text or a map")
_text_or_list = _either(str, list, expected="text or a list")

_ANNOTATIONS: dict[str, Callable[[Any, Path], None]] = {
    "desc": _text,
    "type": _text,
    "labels": _texts,
    "meta": _anything,
}
_OUTPUT_OPTIONS = _ANNOTATIONS | {
    "cache": _flag,
    "persist": _flag,
    "checkpoint": _flag,
    "remote": _text,
    "push": _flag,
}
_PLOT_OPTIONS = _OUTPUT_OPTIONS | dict.fromkeys(PLOT_PROPS[:-1], _text) | {"header": _flag}


def _output_options(value: object, path: Path) -> None:
    _check_map(value, path, _OUTPUT_OPTIONS, "the options of an output")


def _plot_options(value: object, path: Path) -> None:
    _check_map(value, path, _PLOT_OPTIONS, "the options of a plot")


_outputs = _list_of(_text_or(_map_of(_output_options), expected="a path or a map of options"))
_plots = _list_of(_text_or(_map_of(_plot_options), expected="a path or a map of options"))
_vars = _list_of(_text_or_map)

_STAGE: dict[str, Callable[[Any, Path], None]] = {
    "matrix": _map_of(_text_or_list),
    "cmd": _text_or_list,
    "wdir": _text,
    "deps": _texts,
    "params": _list_of(_text_or_map),
    "vars": _vars,
    "frozen": _flag,
    "meta": _anything,
    "desc": _text,
    "always_changed": _flag,
    "outs": _outputs,
    "metrics": _outputs,
    "plots": _plots,
}


def _template(value: object, path: Path) -> None:
    _check_map(value, path, _STAGE, "a stage", required="cmd")


_FOREACH: dict[str, Callable[[Any, Path], None]] = {
    "foreach": _either(str, list, dict, expected="a list, a map or an expression"),
    "do": _template,
}


def _stage(value: object, path: Path) -> None:
    if isinstance(value, dict) and ("foreach" in value or "do" in value):
        _check_map(value, path, _FOREACH, "a foreach stage", required="foreach")
        if "do" not in value:
            raise Problem(f"{_place(path)}required key 'do' is missing", path)
    else:
        _template(value, path)


def _source_map(check: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
    return _text_or(_map_of(check), expected="text or a map of files")


def _y_axis(value: object, path: Path) -> None:
    if isinstance(value, list):
        _texts(value, path)
    else:
        _source_map(_text_or(_texts, kinds=(list,), expected="text or a list"))(value, path)


_PLOT_DEFINITION: dict[str, Callable[[Any, Path], None]] = {
    "x": _source_map(_text),
    "y": _y_axis,
    "x_label": _text,
    "y_label": _text,
    "title": _text,
    "template": _text,
}


def _plot_definition(value: object, path: Path) -> None:
    if value is not None:
        _check_map(value, path, _PLOT_DEFINITION, "a plot definition")


def _named_plot(value: object, path: Path) -> None:
    _map_of(_plot_definition)(value, path)
    if not value:
        _fail("a plot's name and definition", path)


def _artifact(value: object, path: Path) -> None:
    _check_map(value, path, _ANNOTATIONS | {"path": _text}, "an artifact", required="path")


_PIPELINE: dict[str, Callable[[Any, Path], None]] = {
    "stages": _map_of(_stage),
    "vars": _vars,
    "params": _texts,
    "metrics": _texts,
    "plots": _list_of(_text_or(_named_plot, expected="a path or a map")),
    "artifacts": _map_of(_artifact),
    "datasets": _list_of(_anything),
}
