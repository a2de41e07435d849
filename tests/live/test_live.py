"""What is shown of several experiments: on a terminal, in a pipe, and as events."""

from __future__ import annotations

import os
import re
import shutil
import signal
import termios
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from exprun import events
from exprun.cli.live import LiveOutput, last_line
from exprun.model.experiment import StageResult

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.conftest import Project

# In either order.
TWO_SPEAK = rb"(?s)loss of (\d): 0\.5.*loss of (?!\1)\d: 0\.5"
OK = "echo $1 > out.txt; echo 1 > m.json\n"
WIDE = "x: 0\n" + "".join(f"parameter_{n}: 1234567\n" for n in range(20))
HIDDEN_CURSOR = b"\x1b[?25l"
ERASED_LINE = b"\x1b[2K"


class Terminal:
    """A terminal that a command runs on, and what has been written to it."""

    def __init__(self) -> None:
        self._master, self.slave = os.openpty()
        termios.tcsetwinsize(self.slave, (24, 120))
        self.modes = termios.tcgetattr(self.slave)
        self.seen = b""
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, project: Project, *args: str, **env: str) -> subprocess.Popen[bytes]:
        process = project.start(
            *args,
            env=env,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def saw(self, pattern: bytes) -> re.Match[bytes]:
        """Wait until something was written."""
        while not (found := re.search(pattern, self.seen)):
            self.seen += os.read(self._master, 1 << 16)
        return found

    def read_all(self, process: subprocess.Popen[bytes]) -> bytes:
        """What was written until the command has ended, which it does within 30 s."""
        # It may not wait for us to read: all it writes fits into the terminal's buffer.
        process.wait(30)
        os.set_blocking(self._master, False)
        try:
            while data := os.read(self._master, 1 << 16):
                self.seen += data
        except BlockingIOError:
            pass
        return self.seen

    def close(self) -> None:
        """End what a failed test has left running, with its stages."""
        for process in self._started:
            process.terminate()
            process.wait(30)
        os.close(self._master)
        os.close(self.slave)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def gate(project: Project) -> Path:
    """A project whose stages speak, and then wait for somebody to write here."""
    gate = project.place.root / "gate"
    os.mkfifo(gate)
    project.setup(f'echo "loss of $1: 0.5"; read line < {gate}; test $1 != 2 || exit 4\n{OK}')
    return gate


def test_a_terminal_shows_what_runs_and_is_left_as_it_was(
    project: Project, terminal: Terminal, gate: Path
) -> None:
    process = terminal.start(project, "run", "-S", "x=1,2,3", "-n", "e", "-j", "2")
    # Whichever two are ready first.
    terminal.saw(TWO_SPEAK)
    terminal.saw(rb"2 running \xc2\xb7 0 done \xc2\xb7 1 left")
    # Held open, the gate lets through whoever asks, once a line.
    with gate.open("r+b", buffering=0) as lines:
        lines.write(b"\n\n\n")
        terminal.saw(rb"Failed experiment\(s\): e-2")
        assert process.wait(30) == 1
    seen = terminal.read_all(process)
    assert re.search(rb"e-2:train \| loss of 2: 0\.5", seen)
    assert b"Ran experiment(s): e-1, e-3" in seen or b"Ran experiment(s): e-3, e-1" in seen
    assert seen.rindex(b"running \xc2\xb7") < seen.rindex(ERASED_LINE) < seen.rindex(b"Ran exp")
    assert HIDDEN_CURSOR not in seen
    assert termios.tcgetattr(terminal.slave) == terminal.modes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_terminal_sane(
    project: Project, terminal: Terminal, gate: Path, number: signal.Signals
) -> None:
    process = terminal.start(project, "run", "-S", "x=1,2", "-n", "e", "-j", "2")
    terminal.saw(TWO_SPEAK)
    process.send_signal(number)
    seen = terminal.read_all(process)
    assert process.returncode == 128 + number
    assert b"Experiment 'e-1' is stopped" in seen
    assert b"Traceback" not in seen
    assert HIDDEN_CURSOR not in seen
    assert seen.rindex(b"running \xc2\xb7") < seen.rindex(ERASED_LINE)
    assert termios.tcgetattr(terminal.slave) == terminal.modes


def test_a_pipe_gets_plain_lines(project: Project) -> None:
    project.setup(f"echo hello; {OK}")
    done = project.run("run", "-S", "x=1,2", "-n", "e", "-j", "2")
    assert done.code == 0
    assert "e-1:train | hello\n" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_a_pipe_gets_what_stages_write_as_it_is_where_one_runs_at_a_time(project: Project) -> None:
    project.setup(f"printf '10%%\\r100%%\\n'; cat; {OK}")
    process = project.start("run", "-S", "x=1,2", "-n", "e", stdin=PIPE, stdout=PIPE)
    said, _ = process.communicate(b"not for one of many", timeout=60)
    assert process.returncode == 0
    assert said.count(b"\n10%\r100%\n") == 2
    assert b"not for" not in said
    log = project.place.repo / ".dvc/tmp/exprun/queue/logs"
    assert [file.read_bytes() for file in log.rglob("train.log")] == [b"10%\r100%\n"] * 2
    quiet = project.run("run", "-S", "x=3,4", "-q")
    assert (quiet.code, quiet.stdout, quiet.stderr) == (0, "", "")


def test_events_have_standard_output_to_themselves(project: Project) -> None:
    project.setup(f"echo hello; printf '\\377'; {OK}")
    for command in (["run"], ["run", "-S", "x=1,2"], ["repro", "-f"]):
        done = project.run(*command, "--events", "-")
        assert done.code == 0, done.stderr
        (project.place.root / "events").write_text(done.stdout)
        told = project.events()
        assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
        output = [event for event in told if event["event"] == "StageOutput"]
        assert "".join(event["data"] for event in output).startswith("hello\n")
        assert "data_base64" in output[-1]
        assert {"StageStarted", "StageFinished"} <= {event["event"] for event in told}


def test_events_in_a_file_go_with_the_usual_lines(project: Project) -> None:
    project.setup(f"echo hello; {OK}")
    file = project.place.root / "events"
    file.write_text("what was there before\n")
    done = project.run("run", "-S", "x=1,2", "-q", "--events", str(file))
    assert (done.code, done.stdout) == (0, "")
    kinds = [event["event"] for event in project.events()]
    assert kinds.count("ExperimentFinished") == 2
    assert "StageOutput" in kinds


@pytest.mark.parametrize(("option", "pager"), [("-A", "sed s/^/paged/"), ("--no-pager", "false")])
def test_a_table_that_does_not_fit_is_paged(
    project: Project, terminal: Terminal, option: str, pager: str
) -> None:
    project.setup(OK)
    project.write("params.yaml", WIDE)
    seen = terminal.read_all(terminal.start(project, "show", option, DVC_PAGER=pager))
    is_paged = option != "--no-pager"
    assert (b"paged" in seen, b"parameter_19" in seen) == (is_paged, is_paged)


def test_a_table_that_fits_is_not_paged(project: Project, terminal: Terminal) -> None:
    project.setup(OK)
    process = terminal.start(project, "show", DVC_PAGER="false")
    assert b"workspace" in terminal.read_all(process)
    assert process.returncode == 0


def test_without_a_pager_the_table_is_printed_as_wide_as_it_is(
    project: Project, terminal: Terminal
) -> None:
    project.setup(OK)
    project.write("params.yaml", WIDE)
    git_only = project.place.root / "git-only"
    git_only.mkdir()
    (git_only / "git").symlink_to(shutil.which("git") or "")
    for env in ({"PATH": str(git_only)}, {"PAGER": "nosuch"}):
        terminal.seen = b""
        process = terminal.start(project, "show", **env)
        assert b"parameter_19" in terminal.read_all(process)
        assert process.returncode == 0


# The view itself


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        (b"one\ntwo\n", "two"),
        (b"10%\r 50%\r", "50%"),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07end\n\n  \n", "red end"),
        (b"\xff\x00bell\x07", "\ufffdbell"),
        (b"", ""),
    ],
)
def test_the_last_line_is_fit_to_be_shown(tail: bytes, line: str) -> None:
    assert last_line(tail) == line


def test_no_line_of_the_view_is_longer_than_what_it_shows() -> None:
    view = LiveOutput(total=3, clock=lambda: 0.0)
    for name, output in (("a", b"long " * 100), ("long", b"50%"), ("c", b"")):
        view.show(events.StageStarted(stage="s", experiment=name, log=""))
        view.show(events.StageOutput(stage="s", experiment=name, data=output, offset=0))
    lines = [str(line) for line in view.render().renderables]
    assert lines[0].startswith("a     s  0:00  long long ")
    assert lines[0].endswith("…")
    assert lines[1:3] == ["long  s  0:00  50%", "c     s  0:00  "]


def test_the_summary_counts_and_estimates() -> None:
    now = [0.0]
    view = LiveOutput(total=10, clock=lambda: now[0])
    for name in "abcd":
        view.show(events.StageStarted(stage="s", experiment=name, log=""))
    assert view.summary() == "4 running · 0 done · 6 left · 0:00"
    now[0] = 60.0
    finished = events.StageFinished(stage="s", experiment="a", result=StageResult.SUCCEEDED)
    view.show(finished)
    view.show(events.ExperimentFinished(experiment="a", rev="1" * 40))
    view.show(events.ExperimentFinished(experiment="b", reason="failed to reproduce 's'"))
    view.show(events.ExperimentFinished(experiment="c", reason="interrupted"))
    view.show(events.ExperimentQueued(experiment="new"))
    assert view.summary() == "1 running · 1 done · 1 failed · 1 stopped · 7 left · 1:00 · ETA 2:30"


def test_output_without_an_end_is_not_kept() -> None:
    view = LiveOutput(total=1)
    view.show(events.StageStarted(stage="s", experiment="a", log=""))
    for _ in range(3):
        view.show(events.StageOutput(stage="s", experiment="a", data=b"x" * 1_000_000, offset=0))
    [running] = view._running.values()
    assert len(running.tail) <= 400
