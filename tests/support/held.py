"""Tables of what is promised, and which tests hold it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TESTS = Path(__file__).parent.parent


def absent(tests: Iterable[str]) -> list[str]:
    """Those of the tests, named ``room/test_file.py::test_name``, that are not there."""
    return [test for test in tests if not _is_there(*test.split("::"))]


def _is_there(path: str, name: str) -> bool:
    file = _TESTS / path
    return file.exists() and bool(re.search(rf"^(async )?def {name}\(", file.read_text(), re.M))
