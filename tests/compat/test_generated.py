"""Pipelines nobody wrote by hand: both tools from the same start, compared live.

`EXPRUN_GENERATED_SECONDS` says how long to look for a difference (20 s unless set).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.compat.deviations import disagreement
from tests.compat.generated import cases
from tests.compat.play import play
from tests.support.project import Builder

if TYPE_CHECKING:
    from tests.compat.case import Case
    from tests.support.tools import Tool

ASKED_S = os.environ.get("EXPRUN_GENERATED_SECONDS")
SECONDS = float(ASKED_S or "20")


class TimeIsUp(Exception):
    """Ends the search: Hypothesis itself knows only a number of examples."""


@pytest.mark.timeout(SECONDS + 300)
def test_exprun_and_dvc_agree_on_generated_pipelines(exprun: Tool, dvc: Tool) -> None:
    deadline = time.monotonic() + SECONDS

    @settings(
        max_examples=100_000,
        deadline=None,
        # The suite tries the same cases each time; who gives it time looks for new ones.
        derandomize=ASKED_S is None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        # No shrinking: each try costs seconds, and the cases are small already.
        phases=(Phase.generate,),
    )
    @given(case=cases())
    def agree(case: Case) -> None:
        if time.monotonic() > deadline:
            raise TimeIsUp
        _compare(case, exprun, dvc)

    with contextlib.suppress(TimeIsUp):
        agree()


def _compare(case: Case, exprun: Tool, dvc: Tool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        builder = Builder(Path(directory), dvc)
        expected = play(case, tool=dvc, dvc=dvc, builder=builder)
        found = play(case, tool=exprun, dvc=dvc, builder=builder)
    difference = disagreement(case, dvc=expected, exprun=found)
    assert not difference, f"{difference}\n{case}"
