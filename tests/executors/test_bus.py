"""The event bus: order, slow readers, and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from exprun.errors import UsageError
from exprun.events import (
    Event,
    OutputDropped,
    RunFinished,
    StageOutput,
    StageSkipped,
    WarningRaised,
)
from exprun.runner.bus import EventBus

if TYPE_CHECKING:
    from tests.executors.conftest import Runner


def output(size: int, stage: str = "s") -> StageOutput:
    return StageOutput(stage=stage, data=b"x" * size, offset=0)


def skipped(stage: str) -> StageSkipped:
    return StageSkipped(stage=stage)


def test_events_are_placed_and_come_in_order(run: Runner) -> None:
    async def scenario() -> None:
        bus = EventBus("r1", clock=lambda: 7.0)
        bus.publish(skipped("before"))
        async with bus.subscribe() as stream:
            for name in "abc":
                bus.publish(skipped(name))
            bus.close()
            seen = [event async for event in stream]
        assert [(event.seq, event.at, event.run) for event in seen] == [
            (number, 7.0, "r1") for number in (2, 3, 4)
        ]

    run(scenario)


def test_a_waiting_reader_is_woken(run: Runner) -> None:
    async def scenario() -> None:
        bus = EventBus("r")
        seen: list[Event] = []
        async with bus.subscribe(WarningRaised) as stream, anyio.create_task_group() as tasks:

            async def read() -> None:
                seen.append(await anext(stream))

            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            bus.publish(skipped("not wanted"))
            warning = bus.publish(WarningRaised(message="look"))
            await anyio.wait_all_tasks_blocked()
            assert seen == [warning]

    run(scenario)


def test_tasks_that_read_one_subscription_all_end(run: Runner) -> None:
    async def scenario() -> None:
        bus = EventBus("r")
        seen: list[Event] = []
        async with bus.subscribe() as stream, anyio.create_task_group() as tasks:

            async def read() -> None:
                seen.extend([event async for event in stream])

            tasks.start_soon(read)
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            expected = [bus.publish(skipped(name)) for name in "abc"]
            bus.close()
        assert sorted(seen, key=lambda event: event.seq) == expected

    run(scenario)


def test_who_reads_what_is_not_entered_does_not_wait_for_ever(run: Runner) -> None:
    async def scenario() -> None:
        bus = EventBus("r")
        with pytest.raises(UsageError, match="not entered"):
            await anext(bus.subscribe())
        async with bus.subscribe() as stream:
            event = bus.publish(skipped("a"))
        assert [event async for event in stream] == [event]

    run(scenario)


def test_a_slow_reader_loses_output_only_and_is_told_where(run: Runner) -> None:
    async def scenario() -> None:
        bus = EventBus("r")
        async with bus.subscribe(Event, output_limit=100) as stream:
            for size in (60, 60, 30, 60):
                bus.publish(output(size))
            for number in range(1000):
                bus.publish(skipped(str(number)))
            bus.publish(output(70))
            bus.close()
            seen = [event async for event in stream]
        assert [type(event) for event in seen[:5]] == [
            StageOutput,
            OutputDropped,
            StageOutput,
            OutputDropped,
            StageSkipped,
        ]
        drops = [event for event in seen if isinstance(event, OutputDropped)]
        assert [drop.size for drop in drops] == [60, 60, 70]
        assert sum(isinstance(event, StageSkipped) for event in seen) == 1000

    run(scenario)


def test_neighbouring_losses_are_told_as_one_and_a_reader_recovers(run: Runner) -> None:
    async def scenario() -> None:
        bus = EventBus("r")
        async with bus.subscribe(StageOutput, OutputDropped, output_limit=10) as stream:
            for stage in "aaabb":
                bus.publish(output(50, stage))
            assert isinstance(await anext(stream), StageOutput)
            for stage in "ab":
                dropped = await anext(stream)
                assert isinstance(dropped, OutputDropped)
                assert (dropped.stage, dropped.size) == (stage, 100)
            taken = bus.publish(output(50))
            assert await anext(stream) == taken

    run(scenario)


def test_output_is_wanted_only_while_somebody_subscribes_to_it(run: Runner) -> None:
    async def scenario() -> None:
        bus = EventBus("r")
        async with bus.subscribe():
            assert not bus.wants_output()
            async with bus.subscribe(StageOutput):
                assert bus.wants_output()
            assert not bus.wants_output()
        bus.close()
        async with bus.subscribe(RunFinished) as late:
            assert [event async for event in late] == []

    run(scenario)
