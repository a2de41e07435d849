"""What ruamel.yaml's round trip makes of a text: the reference for every byte DVC writes.

The one module of the room that imports ruamel.yaml, and slow for that; the others avoid it where
the outcome is known.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from exprun.errors import LockfileError

if TYPE_CHECKING:
    from collections.abc import Collection


def dump(data: object) -> str:
    """The text DVC writes for `data`."""
    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


def round_trip(text: str, *, name: str) -> str:
    """`text` as it looks once DVC has rewritten its file; raises LockfileError."""
    return dump(_load(text, name))


def replace_stage(
    text: str, stage: str, entry: dict[str, object], *, before: Collection[str], name: str
) -> str:
    """The text of a lock file after DVC has written the entry of a stage.

    A new stage comes last, but ahead of the stages in `before`. Raises LockfileError.
    """
    document = _load(text, name)
    if not document:
        document["schema"] = "2.0"
    stages = document["stages"] = document.get("stages", {})
    later = {key: stages.pop(key) for key in list(stages) if key in before and key != stage}
    stages[stage] = entry
    for key, value in later.items():
        stages[key] = value
    return dump(document)


def _load(text: str, name: str) -> Any:
    yaml = YAML(typ="rt")
    yaml.composer.warn_double_anchors = False  # YAML allows them, and a library does not print
    try:
        return yaml.load(text) or {}
    except YAMLError as failure:
        line = getattr(getattr(failure, "problem_mark", None), "line", None)
        where = name if line is None else f"{name}:{line + 1}"
        raise LockfileError("invalid YAML", where=where) from None
