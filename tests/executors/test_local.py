"""Local processes: their files, their starts that fail, and what the executor costs."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from exprun.abc import NoOutput
from exprun.errors import ExecutorError
from exprun.executors.console import Console
from exprun.executors.local import LocalExecutor
from exprun.model.job import Exited, FailureClass, Killed, NotStarted
from tests.executors.conftest import Recorder

if TYPE_CHECKING:
    from exprun.model.job import JobOutcome, JobSpec
    from tests.executors.conftest import Jobs, Runner


def finish(run: Runner, job: JobSpec) -> JobOutcome:
    async def scenario() -> JobOutcome:
        return await LocalExecutor().run_job(job, NoOutput())

    return run(scenario)


def log_of(job: JobSpec) -> bytes:
    with open(job.log, "rb") as file:
        return file.read()


@pytest.mark.parametrize(
    "data", [b"no newline at the end", b"\xff\xfe\x00\x80", b"10%\r20%\r\r\n", b""]
)
def test_the_log_holds_exactly_what_was_written(run: Runner, jobs: Jobs, data: bytes) -> None:
    job = jobs.python(f"import os; os.write(1, {data!r})")
    output = Recorder()

    async def scenario() -> None:
        await LocalExecutor().run_job(job, output)

    run(scenario)
    assert log_of(job) == data == bytes(output.data)


def test_both_streams_are_interleaved_as_written(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.python(
        "import os\nfor i in range(200): os.write(1 + i % 2, b'%d\\n' % i)", foreground=True
    )
    finish(on_asyncio, job)
    assert log_of(job) == b"".join(b"%d\n" % number for number in range(200))


def test_the_log_is_for_the_owner_only(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.shell("echo secret")
    finish(on_asyncio, job)
    assert stat.S_IMODE(os.stat(job.log).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(job.log)).st_mode) == 0o700


def test_a_listener_who_comes_late_sees_what_follows(run: Runner, jobs: Jobs) -> None:
    class Late(Recorder):
        is_wanted = False

        def __init__(self) -> None:
            super().__init__()
            self.joined = anyio.Event()

        async def wanted(self) -> None:
            await self.joined.wait()

        def write(self, data: bytes, *, offset: int) -> None:
            self.offsets.append(offset)
            self.data += data

    output = Late()
    job = jobs.shell("echo early; echo > written; read x < go; echo late")
    os.mkfifo(jobs.directory / "go")
    os.mkfifo(jobs.directory / "written")

    async def scenario() -> None:
        async def join() -> None:
            await anyio.to_thread.run_sync((jobs.directory / "written").read_bytes)
            output.is_wanted = True
            output.joined.set()
            await anyio.wait_all_tasks_blocked()
            await anyio.to_thread.run_sync((jobs.directory / "go").write_bytes, b"x\n")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(join)
            await LocalExecutor().run_job(job, output)

    run(scenario)
    assert (bytes(output.data), output.offsets) == (b"late\n", [6])


def test_stdin_is_empty_and_no_descriptor_leaks(on_asyncio: Runner, jobs: Jobs) -> None:
    leak = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        job = jobs.shell("cat; ls /proc/self/fd | wc -w")
        finish(on_asyncio, job)
    finally:
        os.close(leak)
    assert log_of(job).split() == [b"4"]  # Three, and the directory being listed.


def test_the_environment_is_the_one_given(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.argv(("/usr/bin/env",), env={"A": "1", "B": "\udcff"})
    finish(on_asyncio, job)
    lines = sorted(log_of(job).splitlines())
    assert lines == [b"A=1", b"B=\xff", b"EXPRUN_JOB=" + job.mark.encode()]
    assert "'A'" not in repr(job)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cwd": "/no/such/directory"}, "working directory '/no/such/directory': no such file"),
        ({"cwd": "/dev/null"}, "working directory '/dev/null': not a directory"),
        ({"env": {"A=B": "1"}}, "environment"),
        ({"log": "/dev/null/x.log"}, "cannot write the log"),
    ],
)
def test_a_job_that_cannot_be_is_not_started(
    on_asyncio: Runner, jobs: Jobs, changes: dict[str, Any], reason: str
) -> None:
    outcome = finish(on_asyncio, jobs.shell("true", **changes))
    assert isinstance(outcome, NotStarted) and reason in outcome.reason
    assert outcome.failure is FailureClass.SETUP


def test_a_missing_shell_is_named(on_asyncio: Runner, jobs: Jobs) -> None:
    outcome = finish(on_asyncio, jobs.argv(("/no/such/shell", "-c", "true")))
    assert isinstance(outcome, NotStarted)
    assert outcome.reason == "cannot start '/no/such/shell': no such file or directory"


def test_an_impossible_command_text_is_not_started(on_asyncio: Runner, jobs: Jobs) -> None:
    assert isinstance(finish(on_asyncio, jobs.shell("echo \0")), NotStarted)
    assert isinstance(finish(on_asyncio, jobs.shell("#" * 300_000)), NotStarted)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_want_of_resources_is_transient(
    run: Runner, jobs: Jobs, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(ExecutorError) as caught:
        finish(run, jobs.shell("true"))
    assert caught.value.transient and caught.value.hint


def test_out_of_descriptors_is_transient_and_leaks_nothing(
    on_asyncio: Runner, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(os.listdir("/proc/self/fd"))
    open_really = os.open

    def refuse_log(path: str, *args: Any, **options: Any) -> int:
        if path == os.devnull:
            raise OSError(errno.EMFILE, "Too many open files")
        return open_really(path, *args, **options)

    monkeypatch.setattr(os, "open", refuse_log)
    with pytest.raises(ExecutorError) as caught:
        finish(on_asyncio, jobs.shell("true"))
    assert caught.value.transient
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_is_told_apart(
    on_asyncio: Runner, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("exprun.executors.local.open_log", refuse)
    outcome = finish(on_asyncio, jobs.shell("true"))
    assert isinstance(outcome, NotStarted) and outcome.failure is FailureClass.NO_SPACE


def test_a_job_leaves_no_descriptor_behind(run: Runner, jobs: Jobs) -> None:
    async def scenario() -> None:
        executor = LocalExecutor()
        await executor.run_job(jobs.shell("true"), NoOutput())
        before = set(os.listdir("/proc/self/fd"))
        await executor.run_job(jobs.shell("true", "false"), NoOutput())
        await executor.run_job(jobs.argv(("/no/such/shell",)), NoOutput())
        assert set(os.listdir("/proc/self/fd")) == before

    run(scenario)


def test_signals_ignored_by_python_are_default_for_the_job(on_asyncio: Runner, jobs: Jobs) -> None:
    outcome = finish(on_asyncio, jobs.shell("kill -PIPE $$"))
    assert isinstance(outcome, Killed) and outcome.signal == signal.SIGPIPE


def test_fifty_megabytes_cost_no_memory(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.shell("head -c 50000000 /dev/zero")
    seen = 0

    class Counter(NoOutput):
        is_wanted = True

        def write(self, data: bytes, *, offset: int) -> None:
            nonlocal seen
            assert offset == seen
            seen += len(data)

    async def scenario() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcome = await LocalExecutor().run_job(job, Counter())
        assert isinstance(outcome, Exited) and outcome.code == 0
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000

    on_asyncio(scenario)
    assert seen == os.path.getsize(job.log) == 50_000_000


@pytest.mark.parametrize("foreground", [False, True])
def test_a_command_that_opens_its_output_anew_loses_nothing(
    run: Runner, jobs: Jobs, foreground: bool
) -> None:
    job = jobs.shell(
        "echo 1; echo 2 > /dev/stdout; echo 3 | tee /dev/stderr; echo 4 > /dev/fd/2; echo 5",
        foreground=foreground,
    )
    output = Recorder()
    with open(os.devnull, "r+") as null:
        console = Console(stdin=null.fileno(), stdout=null.fileno(), stderr=null.fileno())

        async def scenario() -> JobOutcome:
            return await LocalExecutor(console=console).run_job(job, output)

        outcome = run(scenario)
    assert isinstance(outcome, Exited) and outcome.code == 0
    assert log_of(job) == bytes(output.data) == b"1\n2\n3\n3\n4\n5\n"


def test_a_log_cut_off_by_the_stage_is_followed_from_its_new_start(
    on_asyncio: Runner, jobs: Jobs
) -> None:
    class Loose(Recorder):
        def write(self, data: bytes, *, offset: int) -> None:
            self.data += data

    (jobs.directory / "script").write_text("echo before; : > /dev/stdout; echo after\n")
    job = jobs.shell("sh script")
    output = Loose()

    async def scenario() -> None:
        outcome = await LocalExecutor().run_job(job, output)
        assert isinstance(outcome, Exited) and outcome.code == 0

    on_asyncio(scenario)
    assert log_of(job) == b"after\n"
    assert bytes(output.data).endswith(b"after\n")


def test_a_child_that_others_collect_is_lost(on_asyncio: Runner, jobs: Jobs) -> None:
    script = """
import signal, sys, os, anyio
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
from exprun.abc import NoOutput
from exprun.executors.console import Console
from exprun.executors.local import LocalExecutor
from exprun.model.job import *
job = JobSpec(mark="m" * 32, stage="s", commands=(Command(argv=("/bin/true",), display=""),),
              cwd=".", env={}, log=sys.argv[1])
print(type(anyio.run(LocalExecutor().run_job, job, NoOutput())).__name__)
"""
    log = str(jobs.directory / "x.log")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, log], capture_output=True, timeout=30
    )
    assert (done.stdout, done.stderr) == (b"Lost\n", b"")


def test_importing_the_executor_stays_cheap() -> None:
    script = "import sys, exprun.executors.local; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30)
    heavy = {"asyncssh", "structlog", "rich", "pygit2", "trio", "pty", "json.tool", "psutil"}
    assert not heavy & set(done.stdout.decode().split())


def test_the_mark_of_a_job_is_not_in_its_outcome(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.shell("exit 1")
    outcome = finish(on_asyncio, job)
    assert job.mark not in repr(outcome)
    assert replace(job, grace_s=1.0).commands == job.commands
