"""The two tools, started once per test process, and the projects built so far."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.project import Builder
from tests.support.tools import Tool, dvc_tool, exprun_tool

if TYPE_CHECKING:
    from collections.abc import Iterator


# A background job is started with SIGINT ignored, and everything that it starts inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _interruptible() -> None:
    # DVC leaves SIGINT ignored after a stage if it found it at its default, where our own entry
    # point puts it when it is imported.
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
