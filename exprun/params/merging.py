"""Overrides applied by OmegaConf, as Hydra does: interpolation, merging, and its judgement.

Importing this module imports OmegaConf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
)

from exprun.errors import ParamsError, UsageError
from exprun.params.overrides import Operation, Override

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exprun.errors import ExprunError

# What OmegaConf lets through from Python when a key or a value makes no sense to it.
_MISFITS = (
    OmegaConfBaseException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def apply(
    data: dict[Any, Any],
    overrides: Sequence[Override],
    *,
    name: str,
    place: Callable[[str], str],
) -> dict[Any, Any]:
    """`data` (plain dicts and lists) after `overrides`, with every ``${...}`` in it resolved.

    `name` is the file and `place` tells where in it a key stands, for messages. Raises UsageError
    for an override that does not fit, and ParamsError for data that OmegaConf cannot hold or
    resolve.
    """
    try:
        config = OmegaConf.create(data, flags={"allow_objects": True})
        OmegaConf.set_struct(config, True)
    except _MISFITS as error:
        raise ParamsError(_first_line(error), where=name) from error
    for override in overrides:
        _apply(config, override, name)
    try:
        changed = OmegaConf.to_object(config)
    except _MISFITS as error:
        raise _unresolved(error, overrides, name, place) from error
    if not isinstance(changed, dict):
        raise ParamsError("holds no map of parameters", where=name)
    return changed


def _apply(config: DictConfig, override: Override, name: str) -> None:
    if override.package is not None:
        raise _misfit(
            override,
            f"'{override.key}@{override.package}' looks like a config group, and {name} has none",
        )
    try:
        match override.operation:
            case Operation.DELETE:
                _delete(config, override)
            case Operation.ADD:
                _add(config, override)
            case Operation.FORCE_ADD:
                OmegaConf.update(config, override.key, override.value, force_add=True)
            case Operation.CHANGE:
                _change(config, override, name)
    except _MISFITS as error:
        raise _misfit(override, f"error merging it: {_first_line(error)}") from error


def _change(config: DictConfig, override: Override, name: str) -> None:
    try:
        OmegaConf.update(config, override.key, override.value)
    except (ConfigAttributeError, ConfigKeyError) as error:
        raise _misfit(
            override,
            f"Could not override '{override.key}': {name} has no such parameter",
            hint=f"to append to it use +{override.text}",
        ) from error


def _add(config: DictConfig, override: Override) -> None:
    there = OmegaConf.select(config, override.key, throw_on_missing=False)
    if there is not None and not isinstance(override.value, (dict, list)):
        plain = override.text.removeprefix("+")
        raise _misfit(
            override,
            f"Could not append: an item is already at '{override.key}'",
            hint=f"to change it use {plain}; to add or change it use ++{plain}",
        )
    OmegaConf.update(config, override.key, override.value, force_add=True)


def _delete(config: DictConfig, override: Override) -> None:
    there = OmegaConf.select(config, override.key, throw_on_missing=False)
    if there is None:
        raise _misfit(override, f"Could not delete: '{override.key}' does not exist")
    if override.value is not None and override.value != there:
        raise _misfit(
            override,
            f"Could not delete: the value of '{override.key}' is {there} and not {override.value}",
        )
    parent, dot, last = override.key.rpartition(".")
    with open_dict(config):
        place = OmegaConf.select(config, parent) if dot else config
        del place[last]


def _misfit(override: Override, reason: str, *, hint: str | None = None) -> UsageError:
    return UsageError(f"Invalid `--set-param` value: {reason}\n  {override.text}", hint=hint)


def _unresolved(
    error: BaseException, overrides: Sequence[Override], name: str, place: Callable[[str], str]
) -> ExprunError:
    """The fault is the override's if it set the very key that has no value, else the file's."""
    key = getattr(error, "full_key", None)
    reason = _first_line(error)
    for override in reversed(overrides):
        if key and override.key == key:
            return _misfit(override, reason)
    if not key:
        return ParamsError(reason, where=name)
    return ParamsError(f"parameter '{key}': {reason}", where=place(key))


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
