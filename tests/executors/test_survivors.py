"""No process is left: whatever a stage starts, wherever it hides, ends with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import anyio
import pytest

from exprun.abc import NoOutput, StopRequest
from exprun.executors import descendants
from exprun.executors.descendants import VARIABLE, Family, find_marked, with_mark
from exprun.executors.local import LocalExecutor, end_orphans
from exprun.model.job import CancelReason, Exited, JobHandle, Killed, Lost
from tests.executors.conftest import Recorder

if TYPE_CHECKING:
    from exprun.model.job import JobOutcome, JobSpec
    from tests.executors.conftest import Jobs, Runner

DOUBLE_FORK = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.close(number)
        open('pid', 'w').write(str(os.getpid()))
        os.rename('pid', 'daemon')
        time.sleep(1000)
    os._exit(0)
while not os.path.exists('daemon'):
    time.sleep(0.005)
"""


def finish(run: Runner, job: JobSpec) -> JobOutcome:
    async def scenario() -> JobOutcome:
        return await LocalExecutor().run_job(job, NoOutput())

    return run(scenario)


HIDE = "sh -c 'echo $$ > made; mv made pid; exec sleep 1000'"
UNTIL_HIDDEN = "until test -e pid; do sleep 0.01; done; exit 0"


@pytest.mark.parametrize(
    "text",
    [
        f"{HIDE} & ",
        f"setsid {HIDE} & ",
        f"nohup {HIDE} >/dev/null 2>&1 & ",
        f"(setsid {HIDE} <&- >&- 2>&- &); ",
        f"env -i PATH=$PATH {HIDE} & ",
        f'setsid sh -c "env -i PATH=$PATH {HIDE.replace("$", chr(92) + "$")}; :" & ',
    ],
)
def test_what_stays_behind_is_ended_and_named(on_asyncio: Runner, jobs: Jobs, text: str) -> None:
    job = jobs.shell(text + UNTIL_HIDDEN)
    outcome = finish(on_asyncio, job)
    assert isinstance(outcome, Exited) and outcome.code == 0
    hidden = int((jobs.directory / "pid").read_text())
    assert hidden in {left.pid for left in outcome.leftovers}
    assert all(left.ended_by == "SIGTERM" and not left.survived for left in outcome.leftovers)
    assert not os.path.exists(f"/proc/{hidden}/exe")


def test_a_daemon_of_a_daemon_is_ended(run: Runner, jobs: Jobs) -> None:
    job = jobs.python(DOUBLE_FORK)
    outcome = finish(run, job)
    pid = int((jobs.directory / "daemon").read_text())
    assert [left.pid for left in outcome.leftovers] == [pid]
    assert find_marked(job.mark) == ()


def test_who_ignores_sigterm_is_killed(on_asyncio: Runner, jobs: Jobs) -> None:
    text = "trap '' TERM INT HUP; setsid sh -c 'sleep 1000; sleep 1000' & exit 0"
    job = jobs.shell(text, grace_s=0.1)
    outcome = finish(on_asyncio, job)
    assert outcome.leftovers
    assert {left.ended_by for left in outcome.leftovers} == {"SIGKILL"}
    assert find_marked(job.mark) == ()


def test_who_ends_by_itself_in_time_is_not_named(
    on_asyncio: Runner, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exprun.executors.lifetime.LEAK_S", 30.0)
    outcome = finish(on_asyncio, jobs.shell("(sleep 0.05; echo late > out) & exit 0"))
    assert outcome.leftovers == ()
    assert (jobs.directory / "out").read_text() == "late\n"


def test_the_next_command_finds_the_server_of_the_one_before(
    on_asyncio: Runner, jobs: Jobs
) -> None:
    job = jobs.shell("sleep 1000 & echo $! > pid", "kill -0 $(cat pid)")
    outcome = finish(on_asyncio, job)
    assert isinstance(outcome, Exited) and (outcome.code, outcome.command) == (0, 1)
    assert [left.name for left in outcome.leftovers] == ["sleep"]


def test_allowed_daemons_stay(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.shell(f"setsid {HIDE} & {UNTIL_HIDDEN}", allow_daemons=True)
    outcome = finish(on_asyncio, job)
    assert outcome.leftovers == ()
    assert len(find_marked(job.mark)) == 1
    ended = on_asyncio(lambda: end_orphans(job.mark, grace_s=5.0))
    assert [left.pid for left in ended] == [int((jobs.directory / "pid").read_text())]
    assert find_marked(job.mark) == ()


@pytest.mark.parametrize("text", ["wait; wait", "exit 0"])
def test_no_process_survives_that_a_native_task_is_cancelled_again(
    on_asyncio: Runner, jobs: Jobs, text: str
) -> None:
    deaf = "trap '' TERM INT; setsid sh -c 'sleep 1000; sleep 1000' & echo ready; "
    job = jobs.shell(deaf + text, grace_s=1000.0)

    async def scenario() -> None:
        output = Recorder()
        task = asyncio.create_task(LocalExecutor().run_job(job, output))
        await output.saw(b"ready")
        task.cancel()
        for _ in range(20):  # By now it waits for the end of what it has asked to end.
            await asyncio.sleep(0)
        task.cancel()  # Unless there was nothing left to wait for.
        with pytest.raises(asyncio.CancelledError):
            await task

    on_asyncio(scenario)
    while find_marked(job.mark):  # They have been killed, which takes a moment.
        continue


def test_a_stopped_job_takes_other_sessions_with_it(run: Runner, jobs: Jobs) -> None:
    job = jobs.shell("trap '' TERM; setsid sleep 1000 & echo ready; wait; wait", grace_s=0.1)

    async def scenario() -> JobOutcome:
        output, stop = Recorder(), StopRequest()

        async def ask() -> None:
            await output.saw(b"ready")
            stop.request(CancelReason.REQUESTED)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            return await LocalExecutor().run_job(job, output, stop=stop)
        raise AssertionError

    outcome = run(scenario)
    assert isinstance(outcome, Killed) and outcome.signal == signal.SIGKILL
    assert find_marked(job.mark) == ()


def test_a_stopped_process_can_be_ended(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.shell("echo ready; kill -STOP $$; exec sleep 1000")

    async def scenario() -> JobOutcome:
        output, stop = Recorder(), StopRequest()

        async def ask() -> None:
            await output.saw(b"ready")
            stop.request(CancelReason.REQUESTED)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            return await LocalExecutor().run_job(job, output, stop=stop)
        raise AssertionError

    assert isinstance(on_asyncio(scenario), Killed)


def test_a_graceful_stage_may_finish_its_work(run: Runner, jobs: Jobs) -> None:
    text = "trap 'echo saved > checkpoint; exit 7' INT; echo ready; while :; do sleep 0.02; done"

    async def scenario() -> JobOutcome:
        output, stop = Recorder(), StopRequest()

        async def ask() -> None:
            await output.saw(b"ready")
            stop.request(CancelReason.INTERRUPTED)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            return await LocalExecutor().run_job(jobs.shell(text, "echo no"), output, stop=stop)
        raise AssertionError

    outcome = run(scenario)
    assert isinstance(outcome, Exited) and outcome.code == 7
    assert outcome.cancelled is CancelReason.INTERRUPTED
    assert (jobs.directory / "checkpoint").read_text() == "saved\n"


ORCHESTRATOR = """
import os, sys, anyio
from exprun.abc import NoOutput
from exprun.executors.local import LocalExecutor
from exprun.model.job import Command, JobSpec
text = "setsid sh -c 'echo $$ > pid; sleep 1000' & exec sleep 1000"
command = Command(argv=("/bin/sh", "-c", text), display="x")
job = JobSpec(mark=sys.argv[1], stage="s", commands=(command,), cwd=".", env=dict(os.environ),
              log=sys.argv[2])
async def main():
    async with anyio.create_task_group() as tasks:
        await tasks.start(LocalExecutor().run_job, job, NoOutput())
anyio.run(main)
"""


def test_what_a_killed_orchestrator_leaves_is_found_and_followed(
    on_asyncio: Runner, jobs: Jobs
) -> None:
    mark, log = os.urandom(16).hex(), str(jobs.directory / "x.log")
    os.mkfifo(jobs.directory / "pid")
    with subprocess.Popen(
        [sys.executable, "-c", ORCHESTRATOR, mark, log],
        cwd=jobs.directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as orchestrator:
        (jobs.directory / "pid").read_bytes()
        orchestrator.kill()
    assert len(find_marked(mark)) >= 2
    handle = JobHandle(executor="local", native_id="1", mark=mark, log=log)

    async def scenario() -> JobOutcome:
        stop = StopRequest()
        stop.request(CancelReason.KILLED)
        return await LocalExecutor().attach_job(handle, NoOutput(), stop=stop)

    outcome = on_asyncio(scenario)
    assert isinstance(outcome, Lost) and len(outcome.leftovers) >= 2
    assert find_marked(mark) == ()


def test_an_attached_job_is_followed_to_its_end(run: Runner, jobs: Jobs) -> None:
    job = jobs.shell("read line; echo $line")
    (jobs.directory / "logs").mkdir()
    with (
        open(job.log, "wb") as log,
        subprocess.Popen(
            job.commands[0].argv,
            env=with_mark(job.env, job.mark),
            stdin=subprocess.PIPE,
            stdout=log,
        ) as process,
    ):
        handle = JobHandle(executor="local", native_id=str(process.pid), mark=job.mark, log=job.log)
        output = Recorder()

        async def scenario() -> JobOutcome:
            async def speak() -> None:
                process.communicate(b"hello\n")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(speak)
                return await LocalExecutor().attach_job(handle, output)
            raise AssertionError

        assert isinstance(run(scenario), Lost)
    assert bytes(output.data) == b"hello\n"


def test_marks_nest() -> None:
    outer = with_mark({"A": "1"}, "outer")
    assert outer == {"A": "1", VARIABLE: "outer"}
    assert with_mark(outer, "inner")[VARIABLE] == "outer:inner"


@pytest.mark.parametrize("counted", [True, False])
def test_the_pids_since_the_start_are_enough(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    """The quick way and the whole table find the same process, also past many others.

    Whether the numbers may have wrapped around is told by the time, or else by the count of forks.
    """
    monkeypatch.setattr(
        "exprun.executors.descendants._FASTEST_FORKS_PER_S", float("inf") if counted else 0
    )
    mark = os.urandom(16).hex()
    family = Family(mark)
    env = with_mark(jobs.shell("").env, mark)
    sleeper = ["/bin/sleep", "1000"]
    with subprocess.Popen(sleeper, env=env) as first, ExitStack() as cleanup:
        cleanup.callback(first.kill)
        family.leads(first.pid)
        assert family.is_quick
        others = [subprocess.Popen(["/bin/true"]) for _ in range(140)]
        for other in others:
            other.wait()
        assert not family.is_quick
        with subprocess.Popen(sleeper, env=env) as second, ExitStack() as inner:
            inner.callback(second.kill)
            assert [one.pid for one in family.find()] == [second.pid]
            assert set(find_marked(mark)) == {first.pid, second.pid}
        assert family.find() == []


def test_where_the_numbers_may_have_wrapped_all_are_looked_at(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exprun.executors.descendants._FASTEST_FORKS_PER_S", float("inf"))
    counts = iter([1, 10**9, 10**9, 10**9])
    monkeypatch.setattr("exprun.executors.descendants._count_forks", lambda: next(counts))
    mark = os.urandom(16).hex()
    family = Family(mark)
    sleeper, env = ["/bin/sleep", "1000"], with_mark(jobs.shell("").env, mark)
    with subprocess.Popen(sleeper, env=env) as older, ExitStack() as cleanup:
        cleanup.callback(older.kill)
        with subprocess.Popen(["/bin/true"]) as leader:
            family.leads(leader.pid)
            assert not family.is_quick
            assert [one.pid for one in family.find()] == [older.pid]


def test_what_is_in_the_session_of_another_job_is_not_looked_at(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, other = Family(os.urandom(16).hex()), Family(os.urandom(16).hex())
    looked: list[int] = []
    read = descendants._read

    def noted(name: str) -> bytes | None:
        if name.endswith("/environ"):
            looked.append(int(name.split("/")[0]))
        return read(name)

    monkeypatch.setattr(descendants, "_read", noted)
    both = ["/bin/sh", "-c", "sleep 1000 & echo $!; wait"]
    with subprocess.Popen(["/bin/true"]) as leader, ExitStack() as cleanup:
        family.leads(leader.pid)
        with subprocess.Popen(both, stdout=subprocess.PIPE, start_new_session=True) as running:
            cleanup.callback(os.killpg, running.pid, signal.SIGKILL)
            other.leads(running.pid)
            assert running.stdout is not None
            sleeping = int(running.stdout.readline())
            looked.clear()
            assert family.find() == []
            assert {running.pid, sleeping}.isdisjoint(looked)
            other.lead_no_more()
            assert family.find() == []
            assert {running.pid, sleeping} <= set(looked)
            cleanup.close()
