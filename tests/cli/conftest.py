"""exprun and real DVC as commands, and a project that both know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.projects import PROJECT
from tests.support.project import Builder
from tests.support.tools import Tool, dvc_tool, exprun_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.environment import Place


@pytest.fixture(scope="session")
def dvc() -> Iterator[Tool]:
    with dvc_tool() as tool:
        yield tool


@pytest.fixture(scope="session")
def exprun() -> Iterator[Tool]:
    with exprun_tool() as tool:
        yield tool


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory, dvc: Tool) -> Builder:
    return Builder(tmp_path_factory.mktemp("projects"), dvc)


@pytest.fixture
def place(builder: Builder, tmp_path: Path) -> Place:
    """A project whose stages are up to date, in a fresh copy."""
    return builder.build(PROJECT, into=tmp_path / "place")
