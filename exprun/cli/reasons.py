"""Why a stage would run, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exprun.lockfile.compare import ChangeKind, How
from exprun.model.lock import Content

if TYPE_CHECKING:
    from exprun.lockfile.compare import Change


def describe_change(change: Change) -> str:
    """One line such as ``param train.lr of params.yaml: 0.1 -> 0.2``."""
    match change.kind:
        case ChangeKind.ALWAYS:
            return "runs every time"
        case ChangeKind.CHECKSUM:
            return "the .dvc file was edited"
        case ChangeKind.COMMAND:
            return f"command: {_value(change.old)} -> {_value(change.new)}"
        case ChangeKind.PARAM if change.key is not None:
            subject = f"param {change.key} of {change.location}"
        case ChangeKind.PARAM:
            subject = f"params of {change.location}"
        case _:
            subject = f"{change.kind.value} {change.label or change.location}"
    if change.how is How.MODIFIED:
        return f"{subject}: {_value(change.old)} -> {_value(change.new)}"
    if change.how is How.NEW and change.new is not None:
        return f"{subject}: new, {_value(change.new)}"
    return f"{subject}: {change.how.value}"


def _value(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Content):
        return value.oid[:8]
    if isinstance(value, tuple):
        return " && ".join(map(str, value))
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return str(value)
