"""A place for a project, and exprun with failing system calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.bench import build_failing
from tests.support.environment import Place
from tests.support.missing import missing
from tests.support.tools import Tool, exprun_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An isolated home with an empty directory for a project."""
    place = Place(tmp_path / "place")
    place.prepare()
    return place


@pytest.fixture(scope="session")
def failing_exprun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    """exprun of which single system calls can be made to fail."""
    library = build_failing(tmp_path_factory.mktemp("failing"))
    if library is None:
        missing("a C compiler")
    with exprun_tool(env={"LD_PRELOAD": str(library)}) as tool:
        yield tool
