"""Reading what is recorded beside the logs of stages."""

from __future__ import annotations

import contextlib
import json
import os

from exprun.executors.logs import records_path


def read_record(log: str) -> dict[str, object] | None:
    """The fields of a log's record; None if there is none, or none that can be read."""
    try:
        with open(records_path(log), "rb") as file:
            lines = file.readlines()
    except OSError:
        return None
    name = os.path.basename(log)
    for line in reversed(lines):
        with contextlib.suppress(ValueError, RecursionError):
            fields = json.loads(line)
            if isinstance(fields, dict) and fields.get("log") == name:
                return fields
    return None
