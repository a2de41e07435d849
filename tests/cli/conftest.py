"""A project that exprun and DVC know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.projects import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Builder


@pytest.fixture
def place(builder: Builder, tmp_path: Path) -> Place:
    """A project whose stages are up to date, in a fresh copy."""
    return builder.build(PROJECT, into=tmp_path / "place")
