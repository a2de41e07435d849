"""The stages in line for a job slot: those that are being checked, and those that are ready."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from exprun.scheduler.budget import Budget
    from exprun.scheduler.stages import Stage


class Line:
    """Who waits for a job slot, and which kinds of stages need more than that."""

    def __init__(self) -> None:
        self._ready: list[Stage] = []
        self._checking: Counter[int] = Counter()
        self._checking_count = 0

    def __iter__(self) -> Iterator[Stage]:
        """The stages that are ready, the most urgent first. They may be removed meanwhile."""
        return iter(list(self._ready))

    def begin_check(self, stage: Stage) -> None:
        """Take in a stage that may turn out to have to run."""
        self._checking[stage.kind] += 1
        self._checking_count += 1

    def end_check(self, stage: Stage) -> None:
        """Take out a stage that has been checked."""
        self._checking[stage.kind] -= 1
        self._checking_count -= 1

    def add(self, stage: Stage) -> None:
        """Take in a stage that is ready."""
        insort(self._ready, stage)

    def remove(self, stage: Stage) -> None:
        """Take out a stage that was ready."""
        del self._ready[bisect_left(self._ready, stage)]

    def blocked(self, budget: Budget) -> set[int]:
        """The kinds of ready stages whose needs cannot be met, though job slots are free."""
        if not self._ready or not budget.free_jobs:
            return set()
        one_of_each = {stage.kind: stage for stage in self._ready}
        return {kind for kind, stage in one_of_each.items() if not budget.fits(stage.planned.needs)}

    def length(self, *, but: Container[int]) -> int:
        """How many there are, but for those of some kinds."""
        if not but:
            return self._checking_count + len(self._ready)
        checking = sum(count for kind, count in self._checking.items() if kind not in but)
        return checking + sum(stage.kind not in but for stage in self._ready)

    def held_up(self, blocked: Container[int]) -> Counter[int]:
        """How many of each kind are being checked, or ready and `blocked`."""
        counts = Counter(self._checking)
        counts.update(stage.kind for stage in self._ready if stage.kind in blocked)
        return counts
