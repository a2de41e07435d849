"""Stages that are sure to be unchanged take no task each."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import anyio

from exprun.runner.driver import Closed, Driver
from exprun.scheduler import vocabulary as words
from exprun.scheduler.budget import Limits
from exprun.scheduler.machine import Scheduler

if TYPE_CHECKING:
    from exprun.runner.reproduction import Reproduction

STAGES = 100


class Unchanged:
    """A source of one experiment, a chain of stages of which all but the last are unchanged; also
    that experiment's work.
    """

    def __init__(self) -> None:
        self.checked: list[int] = []
        self.states: tuple[words.StageState, ...] = ()

    async def open(self, experiment: str) -> tuple[Reproduction, words.ExperimentPlan]:
        stages = [words.PlannedStage(upstream=(at - 1,) if at else ()) for at in range(STAGES)]
        return cast("Reproduction", self), words.ExperimentPlan(stages=tuple(stages))

    def check_at_once(self, key: words.StageKey, *, forced: bool) -> words.StageChecked | None:
        is_last = key.stage == STAGES - 1
        return None if is_last else words.StageChecked(key, words.Verdict.UNCHANGED)

    async def check(self, key: words.StageKey, *, forced: bool) -> words.StageChecked:
        self.checked.append(key.stage)
        return words.StageChecked(key, words.Verdict.RESTORED)

    async def close(
        self,
        reproduction: Reproduction,
        verdict: words.ExperimentVerdict,
        states: tuple[words.StageState, ...],
    ) -> Closed:
        self.states = states
        return Closed(verdict is words.ExperimentVerdict.SUCCEEDED)


def test_what_is_answered_at_once_leads_to_what_is_not() -> None:
    source = Unchanged()

    async def main() -> None:
        driver = Driver(Scheduler(Limits(jobs=1)), source)
        driver.tell(words.ExperimentsOffered(("e",)))
        with anyio.fail_after(20):
            await driver.run()

    anyio.run(main)
    assert source.checked == [STAGES - 1]
    assert source.states == (words.StageState.UNCHANGED,) * (STAGES - 1) + (
        words.StageState.RESTORED,
    )
