"""The text of a .dvc file after a change: parsed and dumped by ruamel.yaml as DVC does.

Only this module of the room imports ruamel.yaml; it is slow to import and to use.
"""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from exprun.errors import PipelineError


def rewrite(text: str, state: dict[str, object], *, name: str) -> str:
    """`text` with the values of `state`; what did not change keeps its look and its comments."""
    yaml = YAML()
    yaml.default_flow_style = False
    try:
        document = yaml.load(text) or {}
    except YAMLError as failure:
        line = getattr(getattr(failure, "problem_mark", None), "line", None)
        where = name if line is None else f"{name}:{line + 1}"
        raise PipelineError("invalid YAML", where=where) from None
    _follow_map(state, document)
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _follow_map(state: dict[str, Any], document: Any) -> None:
    for key, value in state.items():
        if not _follow(value, document.get(key)) and (
            key not in document or document[key] != value
        ):
            document[key] = value
    for key in [key for key in document if key not in state]:
        del document[key]


def _follow_list(state: list[Any], document: Any) -> None:
    if len(state) != len(document):
        document[:] = state
        return
    for index, value in enumerate(state):
        if not _follow(value, document[index]) and document[index] != value:
            document[index] = value


def _follow(value: object, present: object) -> bool:
    """Bring `present` in line with `value` from within, if both are maps or both are lists."""
    if isinstance(value, dict) and isinstance(present, dict):
        _follow_map(value, present)
        return True
    if isinstance(value, list) and isinstance(present, list):
        _follow_list(value, present)
        return True
    return False
