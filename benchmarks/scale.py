"""The scheduler alone, with commands that take no time: how many stages it can decide about."""

from __future__ import annotations

import time
import tracemalloc
from collections import deque
from typing import TYPE_CHECKING, assert_never

from benchmarks.measuring import Failed
from benchmarks.report import Row, Target
from exprun.scheduler import vocabulary as words
from exprun.scheduler.budget import Limits
from exprun.scheduler.machine import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGES = 10
JOBS = 64
IN_SECONDS = Target(reach=10, stretch=5, unit=" s")
A_PLACE_IN_LINE = Target(reach=128, stretch=64, unit=" B")


def scale(directory: Path, *, quick: bool) -> Iterator[Row]:
    few, many = (200, 2_000) if quick else (1_000, 10_000)
    begin = time.process_time()
    _simulate(many)
    yield Row(
        work=f"{many * STAGES} stages of {many} experiments, scheduled",
        figure=time.process_time() - begin,
        target=IN_SECONDS,
        unit=" s",
    )
    sizes = {count: _memory(count) for count in (few, many)}
    yield Row(
        work=f"memory of {many} experiments over {few}, {JOBS} at a time, for each",
        figure=(sizes[many] - sizes[few]) / (many - few),
        target=A_PLACE_IN_LINE,
        unit=" B",
        values=", ".join(f"{size / 1024:.0f} KB" for size in sizes.values()),
    )


def _memory(count: int) -> int:
    """The most memory that the scheduler had, without the names of what was offered.

    Only what is open has stages; what waits has a place in line and no more.
    """
    names = tuple(map(str, range(count)))
    tracemalloc.start()
    try:
        _simulate(count, names)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _simulate(count: int, names: tuple[str, ...] = ()) -> None:
    """Everything that is asked for is done at once, in the order in which it is asked for."""
    names = names or tuple(map(str, range(count)))
    plan = words.ExperimentPlan(
        stages=tuple(
            words.PlannedStage(upstream=(index - 1,) if index % 3 else ())
            for index in range(STAGES)
        )
    )
    scheduler = Scheduler(Limits(jobs=JOBS))
    todo: deque[words.Stimulus] = deque([words.ExperimentsOffered(names)])
    ran = closed = 0
    while todo:
        for instruction in scheduler.handle(todo.popleft()):
            answer = _answer(instruction, plan)
            ran += isinstance(answer, words.StageRan)
            closed += isinstance(answer, words.ExperimentClosed)
            todo.append(answer)
    if (ran, closed) != (count * STAGES, count) or not scheduler.is_idle:
        raise Failed(f"{ran} stages ran, {closed} experiments ended")


def _answer(instruction: words.Instruction, plan: words.ExperimentPlan) -> words.Stimulus:
    match instruction:
        case words.OpenExperiment(experiment):
            return words.ExperimentOpened(experiment, plan)
        case words.CheckStage(key):
            return words.StageChecked(key, words.Verdict.MUST_RUN, None)
        case words.RunStage(key):
            return words.StageRan(key, succeeded=True)
        case words.SaveStage(key):
            return words.StageSaved(key, succeeded=True)
        case words.FinishExperiment(experiment):
            return words.ExperimentClosed(experiment, succeeded=True)
        case words.StopStage() | words.FailStage() | words.WaitToRetry():
            raise Failed(f"nobody asked for {instruction}")
        case _:
            assert_never(instruction)
