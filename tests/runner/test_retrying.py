"""The wait before a stage is tried again, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import anyio
import pytest

from exprun.model.job import CancelReason
from exprun.runner import driver as driving
from exprun.runner.driver import Closed, Driver
from exprun.scheduler import vocabulary as words
from exprun.scheduler.budget import Limits
from exprun.scheduler.machine import Scheduler

if TYPE_CHECKING:
    from exprun.runner.reproduction import Reproduction


class Failing:
    """A source of one experiment whose one stage always fails; also that experiment's work."""

    def __init__(self) -> None:
        self.runs = 0
        self.waits = anyio.Event()
        self.verdict: words.ExperimentVerdict | None = None

    async def open(self, experiment: str) -> tuple[Reproduction, words.ExperimentPlan]:
        plan = words.ExperimentPlan(stages=(words.PlannedStage(retries=9),))
        return cast("Reproduction", self), plan

    def check_at_once(self, key: words.StageKey, *, forced: bool) -> None:
        return None

    async def check(self, key: words.StageKey, *, forced: bool) -> words.StageChecked:
        return words.StageChecked(key, words.Verdict.MUST_RUN)

    async def run(
        self, key: words.StageKey, *, gpus: tuple[str, ...], attempt: int, may_wait: bool
    ) -> words.StageRan:
        self.runs += 1
        return words.StageRan(key, succeeded=False)

    def waits_to_retry(self, key: words.StageKey, delay_s: float) -> None:
        self.waits.set()

    async def close(
        self,
        reproduction: Reproduction,
        verdict: words.ExperimentVerdict,
        states: tuple[words.StageState, ...],
    ) -> Closed:
        self.verdict = verdict
        return Closed(False)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_who_is_asked_to_stop_waits_no_longer(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "_FIRST_WAIT_S", 60.0)

    async def main() -> Failing:
        source = Failing()
        driver = Driver(Scheduler(Limits(jobs=1)), source)
        driver.tell(words.ExperimentsOffered(("e",)))
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(driver.run)
                await source.waits.wait()
                driver.tell(words.CancelRequested(CancelReason.INTERRUPTED))
        return source

    source = anyio.run(main, backend=backend)
    assert source.runs == 1
    assert source.verdict is words.ExperimentVerdict.CANCELLED
