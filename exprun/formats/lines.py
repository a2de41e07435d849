"""On which line of a YAML document a value starts; only asked for when an error is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line where the value at `path` starts, or the nearest thing above it that is found."""
    try:
        node = yaml.compose(text, _Loader)
    except yaml.YAMLError:
        return 1
    line = 1
    for step in path:
        found = _descend(node, step)
        if found is None:
            break
        node, line = found
    return line


def _descend(node: Any, step: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.SequenceNode):
        if isinstance(step, int) and step < len(node.value):
            item = node.value[step]
            return item, item.start_mark.line + 1
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    return None
