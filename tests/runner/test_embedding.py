"""Experiments run from inside a program, in real repositories and with real processes."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import itertools
import os
import resource
import signal
import sqlite3
import subprocess
import threading
import types
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

import exprun
from exprun import CancelReason, ExperimentSpec, Resources, StageResult, events, open_runner
from exprun.errors import (
    ExecutorError,
    ExperimentFailed,
    ExprunError,
    NotAProject,
    RefConflict,
    UsageError,
)
from exprun.executors.local import LocalExecutor
from exprun.model.job import FailureClass
from exprun.queue.attempts import Orchestrator
from exprun.queue.records import State
from exprun.runner.opening import open_project
from exprun.runner.queues import open_queue
from exprun.runner.watching import POLL_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from anyio.abc import TaskStatus

    from exprun import ExperimentHandle, Runner
    from exprun.abc import OutputSink, StopRequest
    from exprun.events import Event
    from exprun.model.job import JobHandle, JobOutcome, JobSpec
    from exprun.queue.queue import Queue
    from tests.runner.conftest import Project

pytestmark = pytest.mark.timeout(60)


def opened(project: Project, *, jobs: int = 2) -> AbstractAsyncContextManager[Runner]:
    return open_runner(project.root, jobs=jobs, env=project.env, grace_s=0.3)


def spec(mode: str = "good", *, name: str | None = None, lr: str = "1") -> ExperimentSpec:
    return ExperimentSpec(name=name, set_params=(f"mode={mode}", f"lr={lr}"))


def queue_of(project: Project) -> Queue:
    return open_queue(open_project(str(project.root), env=project.env, warn=print))


def states(project: Project) -> dict[str, State]:
    return {entry.name: entry.state for entry in queue_of(project).entries()}


async def until(stream: AsyncIterator[Event], text: bytes) -> None:
    """Read output until `text` has come."""
    seen = b""
    async for event in stream:
        seen += event.data if isinstance(event, events.StageOutput) else b""
        if text in seen:
            return
    pytest.fail(f"no {text!r} in {seen!r}")


async def running(runner: Runner, mode: str) -> ExperimentHandle:
    """An experiment whose second stage runs by now."""
    async with runner.subscribe(events.StageOutput) as stream:
        handle = await runner.submit(spec(mode, name=mode))
        await until(stream, b"training")
    return handle


async def test_results_are_experiments(project: Project) -> None:
    head = project.git("rev-parse", "HEAD")
    async with opened(project) as runner:
        handles = [await runner.submit(spec(lr=lr)) for lr in ("2", "3")]
        named = await runner.submit(spec(name="named", lr="4"))
        results = [await handle.wait() for handle in [*handles, named]]
    for result, lr in zip(results, "234", strict=True):
        assert result.succeeded
        assert result.reason is None
        assert result.baseline == head
        assert result.ref and project.git("rev-parse", result.ref) == result.rev
        assert f"lr: {lr}" in project.git("show", f"{result.rev}:params.yaml")
        assert result.stages["train"] is StageResult.SUCCEEDED
        assert result.log_dir and os.listdir(result.log_dir)
        result.raise_for_outcome()
    assert results[2].name == named.name == "named"
    assert named.result is results[2]
    assert project.git("status", "--porcelain") == ""


async def test_what_may_live_on_writes_to_no_other_experiment(project: Project) -> None:
    """A daemon of the first experiment has a tracked file open, and writes during the second."""
    stage = "  train:\n    meta: {exprun: {allow_daemons: true}}\n"
    pipeline = project.root / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("  train:\n", stage))
    go, told = project.place.root / "go", project.place.root / "told"
    os.mkfifo(go)
    os.mkfifo(told)
    daemon = f"exec >> notes; echo > {told}; read line < {go}; echo late; echo > {told}"
    (project.root / "train.sh").write_text(
        f"""\
        if grep -q 'lr: 2' params.yaml; then setsid sh -c '{daemon}' &
        else echo > {go}; fi
        read line < {told}
        cp params.yaml model.txt
        """
    )
    (project.root / "notes").write_text("kept\n")
    project.git("add", "--all")
    project.git("commit", "--quiet", "-m", "second")
    async with opened(project, jobs=1) as runner:
        assert (await runner.run(spec(lr="2"))).succeeded
        second = await runner.run(spec(lr="3"))
    assert project.git("show", f"{second.rev}:notes") == "kept"
    assert project.processes() == []


async def test_leaving_the_block_waits_for_all(project: Project) -> None:
    async with opened(project) as runner:
        handles = await runner.submit_sweep(ExperimentSpec(name="sweep", set_params=("lr=2,3,4",)))
        assert [handle.name for handle in handles] == ["sweep-1", "sweep-2", "sweep-3"]
        assert not any(handle.result for handle in handles)
    assert all(handle.result and handle.result.succeeded for handle in handles)
    with pytest.raises(UsageError, match="no more"):
        await runner.submit(spec())


async def test_a_failure_is_a_result(project: Project) -> None:
    async with opened(project) as runner:
        bad = await runner.submit(spec("fail", name="bad"))
        result = await bad.wait()
        good = await runner.run(spec(lr="5"))
    assert good.succeeded, "a runner survives failures"
    assert not result.succeeded
    assert result.rev is None and result.ref is None
    assert result.reason and "failed to reproduce 'train'" in result.reason
    assert result.stages == {"prepare": StageResult.SUCCEEDED, "train": StageResult.FAILED}
    with pytest.raises(ExperimentFailed, match="'bad': failed to reproduce"):
        result.raise_for_outcome()
    assert states(project)["bad"] is State.FAILED


SHARED = """\
stages:
  common:
    cmd: 'echo ran >> "$GATE.runs"; until [ -e "$GATE" ]; do sleep 0.02; done; exit 7'
    deps: [train.sh]
    outs: [common.txt]
  own:
    cmd: echo here; cp params.yaml model.txt
    params: [lr]
    outs: [model.txt]
"""


def runs(project: Project) -> int:
    """How often the first of these stages ran."""
    return len(Path(f"{project.gate}.runs").read_text().splitlines())


async def test_a_stage_that_fails_for_several_experiments_runs_once(project: Project) -> None:
    (project.root / "dvc.yaml").write_text(SHARED)
    project.git("commit", "--quiet", "-am", "second")
    async with opened(project, jobs=3) as runner:
        async with runner.subscribe(events.StageFinished) as stream:
            handles = [await runner.submit(spec(lr=lr)) for lr in "234"]
            # What the second stage takes for, the first one was looked at.
            for _ in handles:
                assert (await anext(stream)).stage == "own"  # type: ignore[attr-defined]
            project.gate.touch()
            results = [await handle.wait() for handle in handles]
            told = [await anext(stream) for _ in handles]
    assert runs(project) == 1
    first, *others = results
    assert first.reason and first.reason.endswith("exited with 7")
    for result in others:
        assert result.stages == {"common": StageResult.FAILED, "own": StageResult.SUCCEEDED}
        assert result.reason == (
            f"{first.reason} (in experiment '{first.name}', which ran it for both)"
        )
    assert {(e.stage, e.failure) for e in told if isinstance(e, events.StageFinished)} == {
        ("common", FailureClass.STAGE_EXIT)
    }
    codes = {e.last.exit_code for e in queue_of(project).entries() if e.last}
    assert codes == {7}
    # Nothing of that is remembered.
    async with opened(project, jobs=3) as runner:
        assert not (await runner.run(spec(lr="5"))).succeeded
    assert runs(project) == 2


class Cramped(LocalExecutor):
    """Where there is no room, once, for the stage of one experiment."""

    is_full = False

    async def run_job(
        self,
        job: JobSpec,
        output: OutputSink,
        *,
        stop: StopRequest | None = None,
        task_status: TaskStatus[JobHandle] = anyio.TASK_STATUS_IGNORED,
    ) -> JobOutcome:
        was_full, self.is_full = self.is_full, False
        if was_full:
            raise ExecutorError("no more processes", transient=True, nothing_ran=True)
        return await super().run_job(job, output, stop=stop, task_status=task_status)


async def test_a_stage_for_which_there_is_no_room_is_told_as_deferred(project: Project) -> None:
    executor = Cramped()
    async with open_runner(project.root, jobs=2, env=project.env, executor=executor) as runner:
        first = await running(runner, "wait")
        async with runner.subscribe() as stream:
            executor.is_full = True
            second = await runner.submit(spec(lr="2"))
            async for event in stream:
                assert not isinstance(event, events.StageFinished | events.WarningRaised)
                if isinstance(event, events.StageDeferred):
                    assert (event.stage, event.message) == ("prepare", "no more processes")
                    break
        project.gate.touch()
    assert first.result and first.result.succeeded
    assert second.result and second.result.succeeded


async def test_requests_that_cannot_be_carried_out_are_refused(project: Project) -> None:
    with pytest.raises(NotAProject):
        async with open_runner(project.root.parent):
            pytest.fail("opened")
    with pytest.raises(UsageError, match="jobs"):
        async with open_runner(project.root, jobs=0):
            pytest.fail("opened")
    for grace_s in (-1.0, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="grace_s"):
            async with open_runner(project.root, grace_s=grace_s):
                pytest.fail("opened")
    async with opened(project) as runner:
        with pytest.raises(UsageError, match="sweep"):
            await runner.submit(ExperimentSpec(set_params=("lr=1,2",)))
        with pytest.raises(UsageError, match="set_params must be a tuple of strings"):
            await runner.submit(ExperimentSpec(set_params="lr=1"))  # type: ignore[arg-type]
        await runner.run(spec(name="taken", lr="2"))
        with pytest.raises(RefConflict):
            await runner.submit(spec(name="taken", lr="3"))
    assert list(states(project)) == ["taken"]


@contextmanager
def few_descriptors(count: int) -> Iterator[None]:
    """No more than `count` descriptors are free for the length of a block."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    top = max(map(int, os.listdir("/proc/self/fd"))) + count + 1
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (top, limits[1]))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for descriptor in taken[:count]:
            os.close(descriptor)
        yield
    finally:
        for descriptor in taken[count:]:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_for_want_of_descriptors_nothing_is_queued(project: Project) -> None:
    async with opened(project) as runner:
        for count in itertools.count():
            name = f"with-{count}"
            try:
                with few_descriptors(count):
                    handle = await runner.submit(spec(name=name, lr=str(count)))
                break
            except ExprunError as error:
                assert str(error).startswith("nothing was queued: ")
                assert isinstance(error.__cause__, OSError)
                assert error.__cause__.errno == errno.EMFILE
                assert states(project) == {}
        assert count > 3
        assert (await handle.wait()).succeeded
    assert states(project) == {name: State.SUCCESS}


async def test_cancelling_stops_one_experiment_and_holds_it(project: Project) -> None:
    async with opened(project) as runner:
        hanging = await running(runner, "hang")
        beside = await runner.submit(spec(lr="2"))
        hanging.cancel()
        hanging.cancel()
        result = await hanging.wait()
        assert (await beside.wait()).succeeded
        hanging.cancel()
        assert await hanging.wait() is result
        assert not project.processes()
    assert result.reason == "cancelled"
    assert result.stages["train"] is StageResult.CANCELLED
    assert states(project)["hang"] is State.HELD


async def test_cancelling_what_waits_settles_it_at_once(project: Project) -> None:
    async with opened(project, jobs=1) as runner:
        first = await running(runner, "wait")
        waiting = [await runner.submit(spec(lr=lr)) for lr in "23456"]
        for handle in waiting:
            handle.cancel()
        results = [await handle.wait() for handle in waiting]
        assert not any(result.succeeded for result in results)
        project.gate.touch()
        assert (await first.wait()).succeeded
    assert {states(project)[handle.name] for handle in waiting} == {State.HELD}


async def test_a_callback_of_the_loop_may_cancel(project: Project) -> None:
    """As a signal's handler does, or what another thread calls: there is no task then."""
    loop = asyncio.get_running_loop()
    async with opened(project, jobs=1) as runner:
        runs = await running(runner, "hang")
        waits = [await runner.submit(spec(lr=lr)) for lr in "23456"]
        for handle in [waits[-1], runs]:
            loop.call_soon(handle.cancel)
        results = [await handle.wait() for handle in (runs, *waits)]
    assert [result.succeeded for result in results] == [False, True, True, True, True, False]
    assert results[-1].reason == "cancelled before it started"
    assert states(project)["hang"] is State.HELD
    assert states(project)[waits[-1].name] is State.HELD


@pytest.mark.parametrize("native", [True, False])
async def test_cancelling_submit_takes_back_what_it_queues(project: Project, native: bool) -> None:
    journal = project.root / ".dvc/tmp/exprun/queue/journal.jsonl.lock"
    scope = anyio.CancelScope()
    async with opened(project) as runner:

        async def submit() -> None:
            with scope:
                await runner.submit(spec("hang", name="once"))

        with journal.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            async with runner.subscribe(events.WarningRaised) as stream:
                submitting = asyncio.create_task(submit())
                assert "release the queue" in (await anext(stream)).message  # type: ignore[attr-defined]
            submitting.cancel() if native else scope.cancel()
            await asyncio.wait([submitting])
        again = await runner.submit(spec(name="once", lr="2"))
        assert (await again.wait()).succeeded
    assert states(project) == {"once": State.SUCCESS}


async def test_a_cancelled_submit_does_not_wait_for_others(project: Project) -> None:
    path = project.root / ".dvc/tmp/lock"
    path.parent.mkdir()
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with opened(project) as runner:
            async with runner.subscribe(events.WarningRaised) as stream:
                submitting = asyncio.create_task(runner.submit(spec()))
                assert "waiting for" in (await anext(stream)).message  # type: ignore[attr-defined]
            submitting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submitting
    assert states(project) == {}


async def test_cancelling_a_waiter_leaves_the_experiment_alone(project: Project) -> None:
    async with opened(project) as runner:
        handle = await running(runner, "wait")
        with anyio.move_on_after(0):
            await handle.wait()
        assert handle.result is None
        project.gate.touch()
        assert (await handle.wait()).succeeded


async def test_cancelling_run_stops_the_experiment(project: Project) -> None:
    async with opened(project) as runner, anyio.create_task_group() as tasks:
        async with runner.subscribe(events.StageOutput) as stream:
            tasks.start_soon(runner.run, spec("hang"))
            await until(stream, b"training")
        tasks.cancel_scope.cancel()
    assert not project.processes()
    assert set(states(project).values()) == {State.HELD}


class Oops(Exception):
    """The embedding program's own."""


async def test_an_exception_stops_every_process_and_is_raised_again(project: Project) -> None:
    oops = Oops()
    with pytest.raises(Oops) as raised:
        async with opened(project) as runner:
            handle = await running(runner, "hang")
            waiting = [await runner.submit(spec(lr=lr)) for lr in "2345"]
            assert project.processes()
            raise oops
    assert raised.value is oops
    assert not project.processes()
    assert handle.result and not handle.result.succeeded
    assert all(each.result for each in waiting)
    assert states(project)["hang"] is State.INTERRUPTED
    assert State.HELD not in states(project).values(), "what was not asked for stays queued"


@pytest.mark.parametrize("ending", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_what_ends_the_program_is_raised_again(project: Project, ending: BaseException) -> None:
    async def main() -> None:
        async with opened(project) as runner:
            await running(runner, "hang")
            raise ending

    with pytest.raises(type(ending)) as raised:
        asyncio.run(main())
    assert raised.value is ending
    assert not project.processes()
    assert states(project)["hang"] is State.INTERRUPTED


@pytest.mark.parametrize("native", [False, True])
async def test_cancelling_the_block_stops_every_process(project: Project, native: bool) -> None:
    started = anyio.Event()

    async def embed() -> None:
        async with opened(project) as runner:
            await running(runner, "hang")
            started.set()
            await anyio.sleep_forever()

    if native:
        task = asyncio.create_task(embed())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(embed)
            await started.wait()
            tasks.cancel_scope.cancel()
    assert not project.processes()
    assert states(project) == {"hang": State.INTERRUPTED}


async def test_cancelled_wherever_it_waits_it_ends(project: Project) -> None:
    """Being cancelled while its scheduler was starting, it hung."""

    async def live() -> None:
        async with opened(project) as runner:
            await runner.run(spec())

    slots = project.root / ".dvc/tmp/exps/exprun"
    for point in range(200):
        task = asyncio.create_task(cancelled_at(point, live()))
        await asyncio.wait([task])
        assert project.processes() == []
        assert State.RUNNING not in states(project).values()
        assert not slots.exists() or os.listdir(slots) == []
        if not task.cancelled():
            break
    assert point > 10
    await task


async def cancelled_at(point: int, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` in a task that is cancelled when it waits for the n-th time."""

    @types.coroutine
    def steps() -> Generator[object, object, None]:
        waits = work.__await__()
        sent: Callable[[], object] = partial(next, waits)
        for count in itertools.count():
            try:
                waited = sent()
            except StopIteration:
                return
            if count == point:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited
                sent = partial(next, waits)
            except BaseException as error:
                sent = partial(waits.throw, error)

    await steps()


async def test_cancelling_the_runner_ends_it(project: Project) -> None:
    async with opened(project) as runner:
        handle = await running(runner, "hang")
        runner.cancel()
        runner.cancel(CancelReason.KILLED)
        assert not (await handle.wait()).succeeded
        with pytest.raises(UsageError, match="no more"):
            await runner.submit(spec())
    assert not project.processes()
    assert states(project) == {"hang": State.INTERRUPTED}


async def test_two_runners_share_an_event_loop(make_project: Callable[[str], Project]) -> None:
    one, two = make_project("one"), make_project("two")
    async with opened(one) as first, opened(two) as second:
        held = await running(first, "wait")
        assert (await second.run(spec(name="other", lr="2"))).succeeded
        assert held.result is None
        one.gate.touch()
        assert (await held.wait()).succeeded
        second_root = second.root
    assert second_root == str(two.root)
    assert list(states(one)) == ["wait"]
    assert list(states(two)) == ["other"]


async def test_two_runners_of_one_project_do_not_warn_of_each_other(project: Project) -> None:
    async with opened(project) as first, opened(project) as second:
        async with first.subscribe() as one, second.subscribe() as two:
            async with anyio.create_task_group() as tasks:
                for number in range(10):
                    runner = (first, second)[number % 2]
                    tasks.start_soon(runner.run, spec(name=f"e{number}", lr=str(number)))
            first.cancel()
            second.cancel()
    told = [event for stream in (one, two) async for event in stream]
    assert len([event for event in told if isinstance(event, events.ExperimentQueued)]) == 10
    assert [event for event in told if isinstance(event, events.WarningRaised)] == []


async def test_events_tell_the_story_in_order(project: Project) -> None:
    async with AsyncExitStack() as stack:
        async with opened(project) as runner:
            stream = await stack.enter_async_context(runner.subscribe())
            output = await stack.enter_async_context(runner.subscribe(events.StageOutput))
            await runner.run(spec(name="told", lr="2"))
            runner.cancel()
        seen = [event async for event in stream]
        text = b"".join([e.data async for e in output if isinstance(e, events.StageOutput)])
    kinds = [type(event).__name__ for event in seen]
    told = ["ExperimentQueued", "ExperimentStarted", "StageStarted", "CommandStarted"]
    assert kinds[:4] == told
    assert kinds[-3:] == ["ExperimentFinished", "RunCancelling", "RunFinished"]
    assert [event.seq for event in seen] == sorted(event.seq for event in seen)
    assert len({event.run for event in seen}) == 1
    assert text == b"training good\n"


async def test_submitting_takes_no_longer_the_more_is_queued(project: Project) -> None:
    """Every submission read the whole journal of the queue again."""

    async def reads() -> int:
        counts = []
        for _ in range(3):
            before = read_so_far()
            await runner.submit(spec())
            counts.append(read_so_far() - before)
        return min(counts)

    journal = project.root / ".dvc/tmp/exprun/queue/journal.jsonl"
    async with opened(project, jobs=1) as runner:
        await running(runner, "hang")
        few, size = await reads(), journal.stat().st_size
        await runner.submit_sweep(ExperimentSpec(set_params=("lr=range(2,402)",)))
        assert await reads() - few < (journal.stat().st_size - size) / 2
        runner.cancel()


def read_so_far() -> int:
    """How many bytes this process has read."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["rchar"])


async def test_others_may_stop_and_remove_what_was_submitted(project: Project) -> None:
    async with opened(project, jobs=1) as runner:
        hanging = await running(runner, "hang")
        ahead, removed, held = [await runner.submit(spec(lr=lr)) for lr in "234"]
        queue = queue_of(project)
        queue.remove([removed.id])
        queue.hold([held.id])
        queue.wish_stop([hanging.id])
        assert (await hanging.wait()).reason == "interrupted"
        assert (await removed.wait()).reason == "removed from the queue"
        assert held.result is None
        queue.release([held.id])
        assert (await held.wait()).succeeded
        assert (await ahead.wait()).succeeded


async def test_what_others_do_to_those_that_wait_is_told_at_once(project: Project) -> None:
    queue = queue_of(project)
    async with opened(project, jobs=1) as runner:
        first = await running(runner, "wait")
        _, done, failed, removed = [await runner.submit(spec(lr=lr)) for lr in "2345"]
        with Orchestrator(queue) as other:
            for handle in done, failed:
                attempt = other.claim(handle.id)
                assert attempt is not None
                if handle is done:
                    attempt.succeed("2" * 40)
                else:
                    attempt.fail(FailureClass.STAGE_EXIT, "elsewhere")
        queue.remove([removed.id])
        assert (await done.wait()).rev == "2" * 40
        assert (await failed.wait()).reason == "elsewhere"
        assert (await removed.wait()).reason == "removed from the queue"
        assert first.result is None
        project.gate.touch()


async def test_a_queue_that_cannot_be_read_for_a_while_stops_nothing(project: Project) -> None:
    """As for want of descriptors: the runner ended, and with it what ran."""
    journal = project.root / ".dvc/tmp/exprun/queue/journal.jsonl"
    aside = journal.with_name("aside")
    async with opened(project) as runner:
        handle = await running(runner, "wait")
        journal.rename(aside)
        journal.symlink_to(journal)
        await anyio.sleep(2.5 * POLL_S)
        aside.replace(journal)
        queue_of(project).wish_stop([handle.id])
        assert (await handle.wait()).reason == "interrupted"
        assert (await runner.run(spec(lr="2"))).succeeded


async def test_what_cannot_be_started_is_not_tried_again_and_again(project: Project) -> None:
    lock = project.root / ".dvc/tmp/exprun/queue/journal.jsonl.lock"
    async with opened(project, jobs=1) as runner, runner.subscribe(events.WarningRaised) as stream:
        await running(runner, "wait")
        _ahead, third = [await runner.submit(spec(lr=lr)) for lr in "23"]
        lock.unlink()
        lock.mkdir()  # So nothing can be written to the queue.
        project.gate.touch()
        assert (await third.wait()).reason == "it cannot be started; it is still queued"
        lock.rmdir()
        assert (await runner.run(spec(lr="4"))).succeeded
    texts = [event.message async for event in stream if isinstance(event, events.WarningRaised)]
    assert sum("is not started" in text for text in texts) == 1
    assert states(project)[third.name] is State.QUEUED


async def test_nor_does_it_when_an_experiment_ends_meanwhile(project: Project) -> None:
    journal = project.root / ".dvc/tmp/exprun/queue/journal.jsonl"
    aside = journal.with_name("aside")
    async with (
        opened(project) as runner,
        runner.subscribe(events.WarningRaised) as warnings,
        runner.subscribe(events.ExperimentFinished) as ends,
    ):
        handle = await running(runner, "wait")
        journal.rename(aside)
        journal.symlink_to(journal)
        project.gate.touch()
        warning = await anext(warnings)
        assert isinstance(warning, events.WarningRaised)
        assert "is not recorded" in warning.message
        await anyio.sleep(POLL_S)
        aside.replace(journal)
        result = await handle.wait()
        assert result.succeeded, "it is stored, whoever knows"
        other = await runner.run(spec(lr="2"))
        told = [await anext(ends), await anext(ends)]
        revs = [end.rev for end in told if isinstance(end, events.ExperimentFinished)]
        assert revs == [result.rev, other.rev], "each end is told once"


async def test_what_another_process_runs_is_waited_for(project: Project) -> None:
    async with opened(project, jobs=1) as runner:
        first = await running(runner, "wait")
        _ahead, ended, orphaned = [await runner.submit(spec(lr=lr)) for lr in "234"]
        queue = queue_of(project)
        with Orchestrator(queue) as one, Orchestrator(queue) as other:
            attempt = one.claim(ended.id)
            assert attempt and other.claim(orphaned.id)
            project.gate.touch()
            assert (await first.wait()).succeeded
            assert await runner.run(spec(lr="5")), "their turns have come"
            assert not ended.result and not orphaned.result
            attempt.fail(FailureClass.STAGE_EXIT, "it failed elsewhere")
            assert (await ended.wait()).reason == "it failed elsewhere"
        # The other has died.
        assert (await orphaned.wait()).succeeded


async def test_others_may_put_first_what_was_submitted(project: Project) -> None:
    async with opened(project, jobs=1) as runner:
        await running(runner, "wait")
        _ahead, second, third, gone = [await runner.submit(spec(lr=lr)) for lr in "2345"]
        queue = queue_of(project)
        queue.first([third.id])
        queue.remove([gone.id])
        assert (await gone.wait()).reason == "removed from the queue", "others are looked at"
        async with runner.subscribe(events.ExperimentStarted) as begun:
            project.gate.touch()
            results = [await handle.wait() for handle in (third, second)]
            order = [(await anext(begun)).experiment for _ in results]  # type: ignore[attr-defined]
        assert all(result.succeeded for result in results)
        assert order == [third.name, second.name]


async def test_what_was_stopped_elsewhere_is_not_run_here(project: Project) -> None:
    async with opened(project, jobs=1) as runner:
        await running(runner, "wait")
        _ahead, stopped = [await runner.submit(spec(lr=lr)) for lr in "23"]
        queue = queue_of(project)
        with Orchestrator(queue) as other:
            attempt = other.claim(stopped.id)
            assert attempt
            queue.wish_stop([stopped.id])
            attempt.interrupt()
            assert (await stopped.wait()).reason == "interrupted"
        project.gate.touch()
    assert states(project)[stopped.name] is State.INTERRUPTED


NEEDY = """\
stages:
  train:
    cmd: echo $CUDA_VISIBLE_DEVICES
    params: [lr]
    meta: {exprun: {gpus: 2, mem: 1G}}
"""


async def test_what_there_is_comes_from_the_project_and_the_caller(project: Project) -> None:
    (project.root / "dvc.yaml").write_text(NEEDY)
    (project.root / "exprun.toml").write_text("[resources]\ngpus = 2\nmem = '0.5G'\n")
    user = Path(project.place.environ()["HOME"]) / ".config/exprun/exprun.toml"
    user.parent.mkdir(parents=True, exist_ok=True)
    user.write_text("[resources]\nmem = '8G'\n")
    env = project.env | {"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b,GPU-c"}
    async with open_runner(project.root, env=env) as runner:
        with pytest.raises(UsageError, match="needs 1G of memory, the budget has 512M") as raised:
            await runner.submit(spec(lr="2"))
        assert raised.value.where == "dvc.yaml:5"
    assert states(project) == {}
    more = Resources(mem=2 << 30)
    async with open_runner(project.root, env=env, resources=more) as runner:
        async with runner.subscribe(events.StageOutput) as output:
            assert (await runner.run(spec(lr="2"))).succeeded
            await until(output, b"GPU-a,GPU-b\n")


async def test_nothing_of_the_process_is_touched(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for word in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(word, "/nowhere")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    cwd, environ = os.getcwd(), dict(os.environ)
    async with opened(project) as runner:
        assert (await runner.run(spec(lr="2"))).succeeded
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert (os.getcwd(), dict(os.environ)) == (cwd, environ)
    assert capfd.readouterr() == ("", "")


async def test_nothing_slow_is_done_on_the_event_loop(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def watched(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            threads.add(threading.current_thread())
            return function(*args, **options)

        return call

    for module, name in ((os, "fsync"), (subprocess, "run"), (sqlite3, "connect"), (os, "link")):
        monkeypatch.setattr(module, name, watched(getattr(module, name)))
    async with opened(project) as runner:
        hanging = await running(runner, "hang")
        await runner.run(spec(lr="2"))
        await runner.run(spec("fail"))
        hanging.cancel()
        await hanging.wait()
    assert threads
    assert threading.main_thread() not in threads


async def test_a_queue_that_is_stopped_ends_the_runner(project: Project) -> None:
    async with opened(project, jobs=1) as runner:
        first = await running(runner, "wait")
        waiting = [await runner.submit(spec(lr=lr)) for lr in "234"]
        async with runner.subscribe(events.ExperimentFinished) as stream:
            assert queue_of(project).drain() == 1
            # What the next look of the runner finds, it finds before anything of this ends.
            await anyio.sleep(2 * POLL_S)
            project.gate.touch()
            assert (await first.wait()).succeeded
            last = await waiting[-1].wait()
            told = {event.experiment for event in [await anext(stream) for _ in range(4)]}  # type: ignore[attr-defined]
        assert told == {"wait", *(handle.name for handle in waiting)}
        with pytest.raises(UsageError, match="no more"):
            await runner.submit(spec())
    assert last.reason and "still queued" in last.reason
    assert states(project) == {
        first.name: State.SUCCESS,
        **{handle.name: State.QUEUED for handle in waiting},
    }


def test_it_runs_on_trio_as_well(project: Project) -> None:
    async def embed() -> None:
        async with opened(project) as runner:
            assert (await runner.run(spec(lr="2"))).succeeded
            await running(runner, "hang")
            raise Oops

    with pytest.raises(Oops):
        anyio.run(embed, backend="trio")
    assert not project.processes()


def test_the_package_offers_its_names_when_asked() -> None:
    assert exprun.open_runner is open_runner
    assert set(exprun.__all__) <= set(dir(exprun))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        exprun.nothing  # type: ignore[attr-defined]  # noqa: B018
