"""A foreground job: what the caller's streams get, what the log keeps, what a terminal does."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from exprun.abc import NoOutput, StopRequest
from exprun.executors import relay
from exprun.executors.console import Console
from exprun.executors.local import LocalExecutor
from exprun.model.job import CancelReason, Exited, Killed
from tests.executors.conftest import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.model.job import JobOutcome, JobSpec
    from tests.executors.conftest import Jobs, Runner


class Reader:
    """Collects all that comes out of a descriptor, on a thread, until its other side is closed."""

    def __init__(self, descriptor: int, *, pause_s: float = 0.0) -> None:
        self._descriptor = descriptor
        self._pause_s = pause_s
        self.data = bytearray()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._descriptor, 1 << 16)
            except OSError:  # The end of a pseudo-terminal.
                chunk = b""
            if not chunk:
                return
            with self._news:
                self.data += chunk
                self._news.notify_all()
            time.sleep(self._pause_s)

    def wait_for(self, text: bytes) -> None:
        with self._news:
            assert self._news.wait_for(lambda: text in self.data, timeout=20)

    def all(self) -> bytes:
        self._thread.join(20)
        assert not self._thread.is_alive()
        os.close(self._descriptor)
        return bytes(self.data)


def open_terminal() -> tuple[int, int]:
    master, slave = os.openpty()
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 117, 0, 0))
    return master, slave


@contextmanager
def captured(out: str, err: str, *, pause_s: float = 0.0) -> Iterator[tuple[Console, list[Reader]]]:
    """A console whose streams are ``pipe``, ``tty`` or, for stderr, ``same``.

    Who reads them pauses each time.
    """
    ends = [
        os.pipe() if kind == "pipe" else open_terminal() for kind in (out, err) if kind != "same"
    ]
    readers = [Reader(read_end, pause_s=pause_s) for read_end, _ in ends]
    stdin = os.open(os.devnull, os.O_RDONLY)
    yield Console(stdin=stdin, stdout=ends[0][1], stderr=ends[-1][1]), readers
    for _, write_end in ends:
        os.close(write_end)
    os.close(stdin)


def finish(run: Runner, job: JobSpec, console: Console) -> JobOutcome:
    async def scenario() -> JobOutcome:
        return await LocalExecutor(console=console).run_job(job, NoOutput())

    return run(scenario)


def log_of(job: JobSpec) -> bytes:
    with open(job.log, "rb") as file:
        return file.read()


@pytest.mark.parametrize("err", ["pipe", "tty"])
@pytest.mark.parametrize("out", ["pipe", "tty"])
def test_streams_stay_apart_and_the_log_has_both(
    run: Runner, jobs: Jobs, out: str, err: str
) -> None:
    job = jobs.python(
        "import os\nfor i in range(50):\n"
        "    os.write(1, b'out%d\\xff\\r\\n' % i); os.write(2, b'err%d\\n' % i)",
        foreground=True,
    )
    with captured(out, err) as (console, readers):
        finish(run, job, console)
    outs = b"".join(b"out%d\xff\r\n" % number for number in range(50))
    errs = b"".join(b"err%d\n" % number for number in range(50))
    assert readers[0].all() == outs
    assert readers[1].all() == errs
    assert sorted(log_of(job)) == sorted(outs + errs)


@pytest.mark.parametrize("kind", ["pipe", "tty"])
def test_streams_that_are_one_keep_their_order(run: Runner, jobs: Jobs, kind: str) -> None:
    job = jobs.python(
        "import os\nfor i in range(200): os.write(1 + i % 2, b'%d\\n' % i)", foreground=True
    )
    with captured(kind, "same") as (console, (reader,)):
        finish(run, job, console)
    expected = b"".join(b"%d\n" % number for number in range(200))
    assert reader.all() == expected == log_of(job)


def test_a_terminal_is_a_terminal_for_the_job_too(run: Runner, jobs: Jobs) -> None:
    job = jobs.shell(
        "test -t 1 && test -t 2 && stty size <&1; printf '1%%\\r2%%\\r'", foreground=True
    )
    with captured("tty", "same") as (console, (reader,)):
        outcome = finish(run, job, console)
    assert isinstance(outcome, Exited) and outcome.code == 0
    assert reader.all() == b"31 117\n1%\r2%\r" == log_of(job)


def test_no_terminal_is_invented(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.shell("test -t 1 || test -t 2 || echo none", foreground=True)
    with captured("pipe", "pipe") as (console, readers):
        finish(on_asyncio, job, console)
    assert readers[0].all() == b"none\n"
    assert readers[1].all() == b""


def test_the_job_reads_the_stdin_it_is_given(on_asyncio: Runner, jobs: Jobs) -> None:
    job = jobs.shell("cat", foreground=True)
    read_end, write_end = os.pipe()
    os.write(write_end, b"typed\n")
    os.close(write_end)
    with captured("pipe", "pipe") as (console, readers):
        lent = Console(stdin=read_end, stdout=console.stdout, stderr=console.stderr)
        finish(on_asyncio, job, lent)
    os.close(read_end)
    assert [reader.all() for reader in readers] == [b"typed\n", b""]


@pytest.mark.parametrize("kind", ["pipe", "tty"])
def test_output_is_live_and_in_order_between_commands(run: Runner, jobs: Jobs, kind: str) -> None:
    class Echo(Recorder):
        def command_started(self, index: int, command: object) -> None:
            os.write(console.stdout, b"> %d\n" % index)

    job = jobs.shell("echo a", "echo b; read x < go", "echo c", foreground=True)
    os.mkfifo(jobs.directory / "go")
    with captured(kind, "same") as (console, (reader,)):

        async def scenario() -> None:
            async def answer() -> None:
                await anyio.to_thread.run_sync(reader.wait_for, b"b\n")
                await anyio.to_thread.run_sync((jobs.directory / "go").write_bytes, b"x\n")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer)
                await LocalExecutor(console=console).run_job(job, Echo())

        run(scenario)
    assert reader.all() == b"> 0\na\n> 1\nb\n> 2\nc\n"
    assert log_of(job) == b"a\nb\nc\n"


@pytest.mark.parametrize("kind", ["pipe", "tty"])
def test_much_output_arrives_whole(on_asyncio: Runner, jobs: Jobs, kind: str) -> None:
    job = jobs.shell("seq 200000; seq 1000 >&2", foreground=True)
    with captured(kind, "pipe") as (console, readers):
        finish(on_asyncio, job, console)
    expected = b"".join(b"%d\n" % number for number in range(1, 200_001))
    errors = b"".join(b"%d\n" % number for number in range(1, 1001))
    assert [reader.all() for reader in readers] == [expected, errors]
    # What comes through a terminal can be cut anywhere, and the other stream's be next.
    assert sorted(log_of(job)) == sorted(expected + errors)


def test_a_slow_terminal_gets_all_of_the_output(
    on_asyncio: Runner, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_LAST_WORDS_S", 0.1)
    job = jobs.shell("seq 20000; seq 20000 >&2", foreground=True)
    with captured("tty", "pipe", pause_s=0.01) as (console, readers):
        finish(on_asyncio, job, console)
    expected = b"".join(b"%d\n" % number for number in range(1, 20_001))
    assert [reader.all() for reader in readers] == [expected, expected]
    assert sorted(log_of(job)) == sorted(expected * 2)


def test_a_file_opened_to_append_gets_the_output(on_asyncio: Runner, jobs: Jobs) -> None:
    path = jobs.directory / "out"
    path.write_bytes(b"before\n")
    with open(path, "ab") as out, open(jobs.directory / "err", "ab") as err:
        console = Console(stdin=0, stdout=out.fileno(), stderr=err.fileno())
        job = jobs.shell("echo out; echo err >&2", foreground=True)
        finish(on_asyncio, job, console)
    assert path.read_bytes() == b"before\nout\n"
    assert (jobs.directory / "err").read_bytes() == b"err\n"


def test_a_reader_who_leaves_does_not_harm_the_stage(run: Runner, jobs: Jobs) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    job = jobs.shell("seq 1000 && seq 1000 >&2", foreground=True)
    null = os.open(os.devnull, os.O_RDWR)
    outcome = finish(run, job, Console(stdin=null, stdout=write_end, stderr=write_end))
    os.close(write_end)
    os.close(null)
    assert isinstance(outcome, Exited) and outcome.code == 0
    assert len(log_of(job).split()) == 2000


def test_a_reader_who_does_not_read_cannot_hold_up_a_stop(run: Runner, jobs: Jobs) -> None:
    read_end, write_end = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    console = Console(stdin=null, stdout=write_end, stderr=write_end)
    job = jobs.shell("seq 100000; echo ready; exec sleep 1000", foreground=True)

    async def scenario() -> JobOutcome:
        stop, output = StopRequest(), Recorder()

        async def ask() -> None:
            await output.saw(b"ready")
            stop.request(CancelReason.INTERRUPTED)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            return await LocalExecutor(console=console).run_job(job, output, stop=stop)
        raise AssertionError

    outcome = run(scenario)
    os.close(read_end)  # Which frees the thread that was left behind.
    os.close(write_end)
    os.close(null)
    assert isinstance(outcome, Killed) and outcome.signal == 2


def test_an_allowed_daemon_that_holds_the_output_is_not_waited_for(
    on_asyncio: Runner, jobs: Jobs
) -> None:
    job = jobs.shell("sleep 1000 & echo $! > pid; echo done", foreground=True, allow_daemons=True)
    with captured("tty", "pipe") as (console, readers):
        outcome = finish(on_asyncio, job, console)
    os.kill(int((jobs.directory / "pid").read_text()), 9)
    assert isinstance(outcome, Exited) and outcome.code == 0
    assert readers[0].all() == b"done\n"
    assert readers[1].all() == b""
