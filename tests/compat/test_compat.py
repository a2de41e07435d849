"""Every case, run by exprun, gives what real DVC gave: its recorded answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.compat import record
from tests.compat.cases import all_cases
from tests.compat.deviations import disagreement
from tests.compat.play import play

if TYPE_CHECKING:
    from tests.compat.case import Case
    from tests.support.project import Builder
    from tests.support.tools import Tool


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_exprun_gives_what_dvc_gives(case: Case, exprun: Tool, dvc: Tool, builder: Builder) -> None:
    found = play(case, tool=exprun, dvc=dvc, builder=builder)

    difference = disagreement(case, dvc=record.load(case), exprun=found)
    told = [line for step in found["steps"] for line in step["errors"]]
    assert not difference, "\n".join((difference, *told))


def test_every_record_belongs_to_a_case() -> None:
    names = {case.name for case in all_cases()}
    assert {path.stem for path in record.DIRECTORY.glob("*.json")} == names
