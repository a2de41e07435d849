"""What may stand in a dvc.yaml: the same documents pass and fail as with DVC's own schema.

The rules are those of ``dvc/schema.py`` of DVC 3.67. They are written as plain functions because
every command checks every dvc.yaml of the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.pipeline.checks import (
    Check,
    anything,
    check_map,
    either,
    fail,
    flag,
    list_of,
    map_of,
    text,
    text_or,
)

if TYPE_CHECKING:
    from exprun.pipeline.problem import Path

PLOT_PROPS = ("template", "x", "y", "x_label", "y_label", "title", "header")


def check_pipeline(document: object) -> None:
    """Raise Problem unless `document` is a dvc.yaml."""
    check_map(document, (), _PIPELINE, "dvc.yaml")


_texts = list_of(text)
_text_or_map = either(str, dict, expected="text or a map")
_text_or_list = either(str, list, expected="text or a list")

_ANNOTATIONS: dict[str, Check] = {
    "desc": text,
    "type": text,
    "labels": _texts,
    "meta": anything,
}
_OUTPUT_OPTIONS = _ANNOTATIONS | {
    "cache": flag,
    "persist": flag,
    "checkpoint": flag,
    "remote": text,
    "push": flag,
}
_PLOT_OPTIONS = _OUTPUT_OPTIONS | dict.fromkeys(PLOT_PROPS[:-1], text) | {"header": flag}


def _output_options(value: object, path: Path) -> None:
    check_map(value, path, _OUTPUT_OPTIONS, "the options of an output")


def _plot_options(value: object, path: Path) -> None:
    if isinstance(value, list):  # the schema allows it; the stage is refused when it is built
        list_of(_plot_options_map)(value, path)
    else:
        _plot_options_map(value, path)


def _plot_options_map(value: object, path: Path) -> None:
    check_map(value, path, _PLOT_OPTIONS, "the options of a plot")


_outputs = list_of(text_or(map_of(_output_options), expected="a path or a map of options"))
_plots = list_of(text_or(map_of(_plot_options), expected="a path or a map of options"))
_vars = list_of(_text_or_map)

_STAGE: dict[str, Check] = {
    "matrix": map_of(_text_or_list),
    "cmd": _text_or_list,
    "wdir": text,
    "deps": _texts,
    "params": list_of(_text_or_map),
    "vars": _vars,
    "frozen": flag,
    "meta": anything,
    "desc": text,
    "always_changed": flag,
    "outs": _outputs,
    "metrics": _outputs,
    "plots": _plots,
}


def _template(value: object, path: Path) -> None:
    check_map(value, path, _STAGE, "a stage", required=("cmd",))


_FOREACH: dict[str, Check] = {
    "foreach": either(str, list, dict, expected="a list, a map or an expression"),
    "do": _template,
}


def _stage(value: object, path: Path) -> None:
    if isinstance(value, dict) and ("foreach" in value or "do" in value):
        check_map(value, path, _FOREACH, "a foreach stage", required=("foreach", "do"))
    else:
        _template(value, path)


def _source_map(check: Check) -> Check:
    return text_or(map_of(check), expected="text or a map of files")


def _y_axis(value: object, path: Path) -> None:
    if isinstance(value, list):
        _texts(value, path)
    else:
        _source_map(text_or(_texts, kinds=(list,), expected="text or a list"))(value, path)


_PLOT_DEFINITION: dict[str, Check] = {
    "x": _source_map(text),
    "y": _y_axis,
    "x_label": text,
    "y_label": text,
    "title": text,
    "template": text,
}


def _plot_definition(value: object, path: Path) -> None:
    if value is not None:
        check_map(value, path, _PLOT_DEFINITION, "a plot definition")


def _named_plot(value: object, path: Path) -> None:
    map_of(_plot_definition)(value, path)
    if not value:
        fail("a plot's name and definition", path)


def _artifact(value: object, path: Path) -> None:
    check_map(value, path, _ANNOTATIONS | {"path": text}, "an artifact", required=("path",))


_PIPELINE: dict[str, Check] = {
    "stages": map_of(_stage),
    "vars": _vars,
    "params": _texts,
    "metrics": _texts,
    "plots": list_of(text_or(_named_plot, expected="a path or a map")),
    "artifacts": map_of(_artifact),
    "datasets": list_of(anything),
}
