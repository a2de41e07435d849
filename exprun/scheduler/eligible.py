"""The stages that wait to be checked, the most urgent first, apart by what they need to run."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from exprun.scheduler.vocabulary import StageState

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from exprun.scheduler.stages import Stage


class Eligible:
    """A heap for each kind of stage, of which there are few.

    Stages that ended meanwhile stay in it until they are met.
    """

    def __init__(self) -> None:
        self._heaps: dict[int, list[Stage]] = {}
        self._counts: dict[int, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, stage: Stage) -> None:
        """Take in a stage, which has become eligible."""
        kind = stage.kind
        if kind not in self._heaps:
            self._heaps[kind], self._counts[kind] = [], 0
        heapq.heappush(self._heaps[kind], stage)
        self._counts[kind] += 1
        self._count += 1

    def discount(self, stage: Stage) -> None:
        """Take note that a stage is eligible no more."""
        kind = stage.kind
        self._count -= 1
        self._counts[kind] -= 1
        if not self._counts[kind]:
            del self._heaps[kind], self._counts[kind]

    def count(self, *, but: Container[int]) -> int:
        """How many there are, but for those of some kinds."""
        if not but:
            return self._count
        return sum(count for kind, count in self._counts.items() if kind not in but)

    def pop(self, may: Callable[[int], bool]) -> Stage | None:
        """The most urgent one of the kinds that `may` be taken, taken out."""
        heads = [_head(heap) for kind, heap in self._heaps.items() if may(kind)]
        if not heads:
            return None
        stage = min(heads)
        heapq.heappop(self._heaps[stage.kind])
        self.discount(stage)
        return stage


def _head(heap: list[Stage]) -> Stage:
    while heap[0].state is not StageState.ELIGIBLE:
        heapq.heappop(heap)
    return heap[0]
