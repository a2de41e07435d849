"""An experiment's request as JSON values and back; only what differs from the default is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exprun.model.experiment import ExperimentSpec, OnError, ReproOptions, Selection
from exprun.model.paths import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_on_error(value: object) -> bool:
    return value in [each.value for each in OnError]


_SELECTION: dict[str, Callable[[object], bool]] = {
    "targets": _are_texts, "cwd": _is_text, "single_item": _is_flag, "pipeline": _is_flag,
    "all_pipelines": _is_flag, "recursive": _is_flag, "downstream": _is_flag, "glob": _is_flag,
}  # fmt: skip
_OPTIONS: dict[str, Callable[[object], bool]] = {
    "selection": lambda value: _fits(value, _SELECTION), "force": _is_flag,
    "force_downstream": _is_flag, "pull": _is_flag, "allow_missing": _is_flag, "dry": _is_flag,
    "interactive": _is_flag, "on_error": _is_on_error, "run_cache": _is_flag, "commit": _is_flag,
}  # fmt: skip
_SPEC: dict[str, Callable[[object], bool]] = {
    "name": _is_text, "set_params": _are_texts, "params": _are_texts, "message": _is_text,
    "isolated": _is_flag, "copy_paths": _are_texts, "hydra": _is_flag,
    "options": lambda value: _fits(value, _OPTIONS),
}  # fmt: skip


def _fits(value: object, checks: Mapping[str, Callable[[object], bool]]) -> bool:
    if not isinstance(value, dict):
        return False
    for key, item in value.items():
        if key not in checks or not checks[key](item):
            return False
    return True


def is_spec(value: object) -> bool:
    """Whether `from_fields` can read it: nothing in a record is taken for granted."""
    return _fits(value, _SPEC)


def to_fields(spec: ExperimentSpec) -> dict[str, object]:
    """The JSON object for a request."""
    return _changed(spec, ExperimentSpec(), _SPEC)


def from_fields(data: Mapping[str, Any]) -> ExperimentSpec:
    """The request that `data`, which `is_spec`, stands for."""
    options = dict(data.get("options", {}))
    selection = _tuples(options.pop("selection", {}))
    if "cwd" in selection:
        selection["cwd"] = Location(selection["cwd"])
    if "on_error" in options:
        options["on_error"] = OnError(options["on_error"])
    reproduction = ReproOptions(selection=Selection(**selection), **options)
    return ExperimentSpec(**(_tuples(data) | {"options": reproduction}))


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(item) if isinstance(item, list) else item for key, item in data.items()}


def _changed(value: Any, default: Any, names: Iterable[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in names:
        mine, usual = getattr(value, name), getattr(default, name)
        match mine:
            case _ if mine == usual:
                continue
            case ReproOptions():
                found[name] = _changed(mine, usual, _OPTIONS)
            case Selection():
                found[name] = _changed(mine, usual, _SELECTION)
            case OnError():
                found[name] = mine.value
            case tuple():
                found[name] = list(mine)
            case _:
                found[name] = mine
    return found
