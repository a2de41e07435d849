"""What every executor promises, asked of the local one and of the fake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from exprun.abc import NoOutput, StopRequest
from exprun.executors.descendants import find_marked
from exprun.executors.local import LocalExecutor
from exprun.model.job import (
    CancelReason,
    Exited,
    FailureClass,
    JobHandle,
    JobSpec,
    Killed,
    NotStarted,
    TimedOut,
    failure_of,
)
from exprun.testing import FakeCommand, FakeExecutor
from tests.executors.conftest import Recorder

if TYPE_CHECKING:
    from exprun.abc import Executor
    from tests.executors.conftest import Jobs, Runner


@dataclass(frozen=True)
class Deed:
    """What a command does: a shell text for real executors, a script for the fake."""

    text: str
    fake: FakeCommand


def ends(code: int) -> Deed:
    return Deed(f"exit {code}", FakeCommand(status=code))


def dies(number: int) -> Deed:
    return Deed(f"kill -{number} $$", FakeCommand(status=-number))


def says(text: str) -> Deed:
    return Deed(f"printf '{text}'", FakeCommand(output=(text.encode(),)))


FOREVER = 1e9
WAITS = Deed("echo ready; exec sleep 1000", FakeCommand(output=(b"ready\n",), takes_s=FOREVER))
IS_DEAF = Deed(
    "trap '' INT TERM; echo ready; while :; do sleep 1000; done",
    FakeCommand(output=(b"ready\n",), takes_s=FOREVER, is_deaf=True),
)
HAS_NO_PROGRAM = Deed("", FakeCommand(cannot_start="no such program"))


class Bench:
    """An executor, and jobs that do the same in it as in any other."""

    def __init__(self, kind: str, jobs: Jobs) -> None:
        self.kind = kind
        self._jobs = jobs
        self._script: dict[str, tuple[FakeCommand, ...]] = {}
        self.fake = FakeExecutor(script=self._script)

    @property
    def executor(self) -> Executor:
        return LocalExecutor() if self.kind == "local" else self.fake

    def job(self, *deeds: Deed, **changes: Any) -> JobSpec:
        job = self._jobs.shell(*(deed.text for deed in deeds), **changes)
        if HAS_NO_PROGRAM in deeds:
            commands = [
                replace(command, argv=("/no/such/program",)) if not command.display else command
                for command in job.commands
            ]
            job = replace(job, commands=tuple(commands))
        self._script[job.stage] = tuple(deed.fake for deed in deeds)
        return job

    def is_running(self, job: JobSpec) -> bool:
        return (
            bool(find_marked(job.mark)) if self.kind == "local" else job.mark in self.fake.running
        )


@pytest.fixture(params=["local", "fake"])
def bench(request: pytest.FixtureRequest, jobs: Jobs) -> Bench:
    return Bench(request.param, jobs)


def test_exit_statuses_and_signals_are_told_apart(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        good = await bench.executor.run_job(bench.job(ends(0)), NoOutput())
        assert isinstance(good, Exited) and good.code == 0 and failure_of(good) is None
        assert good.command == 0 and good.leftovers == () and good.cancelled is None
        bad = await bench.executor.run_job(bench.job(ends(3)), NoOutput())
        assert isinstance(bad, Exited) and bad.code == 3
        assert failure_of(bad) is FailureClass.STAGE_EXIT
        killed = await bench.executor.run_job(bench.job(dies(9)), NoOutput())
        assert isinstance(killed, Killed) and killed.signal == 9
        assert failure_of(killed) is FailureClass.SIGNAL

    run(scenario)


def test_commands_run_in_order_until_one_fails(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        output = Recorder()
        job = bench.job(says("one"), says("two"), ends(4), says("three"))
        outcome = await bench.executor.run_job(job, output)
        assert isinstance(outcome, Exited) and (outcome.code, outcome.command) == (4, 2)
        assert bytes(output.data) == b"onetwo"
        assert output.commands == [command.display for command in job.commands[:3]]

    run(scenario)


def test_a_job_without_commands_is_good(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        outcome = await bench.executor.run_job(bench.job(), NoOutput())
        assert isinstance(outcome, Exited) and (outcome.code, outcome.command) == (0, None)

    run(scenario)


def test_the_handle_comes_while_the_job_runs(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        job = bench.job(WAITS)
        async with anyio.create_task_group() as tasks:
            handle = await tasks.start(bench.executor.run_job, job, NoOutput())
            assert isinstance(handle, JobHandle)
            assert handle.native_id and (handle.mark, handle.log) == (job.mark, job.log)
            tasks.cancel_scope.cancel()
        assert not bench.is_running(job)

    run(scenario)


def test_what_cannot_start_is_an_outcome_with_a_handle(run: Runner, bench: Bench) -> None:
    outcomes = []

    async def scenario() -> None:
        job = bench.job(HAS_NO_PROGRAM)

        async def follow(*, task_status: Any) -> None:
            outcomes.append(await bench.executor.run_job(job, NoOutput(), task_status=task_status))

        async with anyio.create_task_group() as tasks:
            handle = await tasks.start(follow)
            assert handle.native_id is None

    run(scenario)
    (outcome,) = outcomes
    assert isinstance(outcome, NotStarted) and "no such" in outcome.reason
    assert failure_of(outcome) is FailureClass.SETUP


def test_cancelling_ends_the_job_and_propagates(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        output = Recorder()
        job = bench.job(WAITS)
        returned = False
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def follow() -> None:
                    nonlocal returned
                    await bench.executor.run_job(job, output)
                    returned = True

                tasks.start_soon(follow)
                await output.saw(b"ready")
                scope.cancel()
        assert scope.cancelled_caught and not returned
        assert not bench.is_running(job)

    run(scenario)


def test_cancelled_before_it_starts_nothing_starts(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        output = Recorder()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await bench.executor.run_job(bench.job(WAITS), output)
        assert scope.cancelled_caught and output.commands == []

    run(scenario)


def test_stopped_before_it_starts_it_is_not_started(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        stop = StopRequest()
        stop.request(CancelReason.STAGE_FAILED)
        outcome = await bench.executor.run_job(bench.job(WAITS), NoOutput(), stop=stop)
        assert isinstance(outcome, NotStarted)
        assert outcome.cancelled is CancelReason.STAGE_FAILED

    run(scenario)


@pytest.mark.parametrize(
    ("reason", "number"),
    [
        (CancelReason.STAGE_FAILED, 15),
        (CancelReason.REQUESTED, 15),
        (CancelReason.INTERRUPTED, 2),
        (CancelReason.KILLED, 9),
    ],
)
def test_a_request_ends_the_job_with_its_own_signal(
    run: Runner, bench: Bench, reason: CancelReason, number: int
) -> None:
    async def scenario() -> None:
        output, stop = Recorder(), StopRequest()
        job = bench.job(WAITS, says("never"))

        async def ask() -> None:
            await output.saw(b"ready")
            stop.request(reason)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            outcome = await bench.executor.run_job(job, output, stop=stop)
        assert isinstance(outcome, Killed) and outcome.signal == number
        assert outcome.cancelled is reason and outcome.command == 0
        assert failure_of(outcome) is FailureClass.INTERRUPTED
        assert not bench.is_running(job)

    run(scenario)


def test_a_second_request_kills_at_once(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        output, stop = Recorder(), StopRequest()
        job = bench.job(IS_DEAF, grace_s=1000.0)

        async def ask() -> None:
            await output.saw(b"ready")
            stop.request(CancelReason.INTERRUPTED)
            await anyio.wait_all_tasks_blocked()
            assert bench.is_running(job)
            stop.request(CancelReason.KILLED)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            outcome = await bench.executor.run_job(job, output, stop=stop)
        assert isinstance(outcome, Killed) and outcome.signal == 9
        assert outcome.cancelled is CancelReason.KILLED
        assert not bench.is_running(job)

    run(scenario)


def test_who_ignores_the_signals_is_killed_after_the_grace(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        output, stop = Recorder(), StopRequest()
        job = bench.job(IS_DEAF, grace_s=0.2)

        async def ask() -> None:
            await output.saw(b"ready")
            stop.request(CancelReason.REQUESTED)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            outcome = await bench.executor.run_job(job, output, stop=stop)
        assert isinstance(outcome, Killed) and outcome.signal == 9
        assert outcome.cancelled is CancelReason.REQUESTED

    run(scenario)


def test_a_job_may_run_no_longer_than_its_timeout(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        job = bench.job(WAITS, timeout_s=0.1)
        outcome = await bench.executor.run_job(job, NoOutput())
        assert isinstance(outcome, TimedOut) and outcome.timeout_s == 0.1
        assert outcome.cancelled is None and failure_of(outcome) is FailureClass.TIMEOUT
        assert not bench.is_running(job)

    run(scenario)


def test_many_jobs_run_at_once(run: Runner, bench: Bench) -> None:
    async def scenario() -> None:
        executor = bench.executor
        outputs = [Recorder() for _ in range(10)]
        stop = StopRequest()

        async def follow(output: Recorder) -> None:
            outcome = await executor.run_job(bench.job(WAITS), output, stop=stop)
            assert isinstance(outcome, Killed)

        async with executor, anyio.create_task_group() as tasks:
            for output in outputs:
                tasks.start_soon(follow, output)
            for output in outputs:
                await output.saw(b"ready")
            stop.request(CancelReason.REQUESTED)

    run(scenario)
