"""Two records as a readable difference."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.compat.play import Record


def differences(expected: Record, found: Record, *, names: tuple[str, str]) -> str:
    """A unified diff of both, with enough context to see which file is meant; empty if equal."""
    old, new = (_lines(record) for record in (expected, found))
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm="", n=6))


def _lines(record: Record) -> list[str]:
    return json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True).splitlines()
