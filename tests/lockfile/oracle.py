"""DVC's own code, called in-process."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import YAMLFileCorruptedError as YAMLFileCorruptedError
from dvc.utils.serialize import parse_yaml, parse_yaml_for_update
from dvc.utils.serialize._yaml import dumps_yaml
from voluptuous import Invalid


def write(text: str | None, stage: str, entry: dict[str, Any]) -> str:
    """What dvc.dvcfile.Lockfile.dump_stages leaves in the file."""
    data = {} if text is None else parse_yaml_for_update(text, "dvc.lock")
    if not data:
        data.update({"schema": "2.0"})
    data["stages"] = data.get("stages", {})
    ordered = OrderedDict(entry)
    if "params" in entry:
        params = ((file, OrderedDict(values)) for file, values in entry["params"].items())
        ordered["params"] = OrderedDict(params)
    data["stages"].update({stage: ordered})
    return str(dumps_yaml(data))


def dump(data: dict[str, Any]) -> str:
    return str(dumps_yaml(data))


def read(text: str) -> dict[str, Any] | None:
    """The entries of a lock file, None where DVC refuses it."""
    try:
        data = parse_yaml(text, "dvc.lock")
        COMPILED_LOCKFILE_SCHEMA(data)
    except (YAMLFileCorruptedError, Invalid):
        return None
    return dict(data.get("stages", {}))


def spell(data: object) -> str:
    """A text that tells 1 from 1.0 and True, and shows the order of keys."""
    return json.dumps(data, default=repr)
