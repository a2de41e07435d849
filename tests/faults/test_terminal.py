"""exprun on a terminal: Ctrl-C, modes, progress bars, and who may read."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.program import PATIENCE_S, Program, make_project, run
from tests.support.project import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.environment import Place

_ECHO = termios.ECHO
SOON_S = 2


class Terminal:
    """A pseudo-terminal that exprun has for its own: its stdin, stdout and stderr."""

    def __init__(self, master: int, slave: int) -> None:
        self._master = master
        self.slave = slave
        self.shown = b""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, pattern: str) -> re.Match[bytes]:
        """Read until `pattern` is on the screen."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern.encode(), self.shown, re.DOTALL)):
            ready, _, _ = select.select(
                [self._master], [], [], max(0.0, deadline - time.monotonic())
            )
            assert ready, self.shown
            self.shown += os.read(self._master, 4096)
        return found

    @property
    def echoes(self) -> bool:
        modes = termios.tcgetattr(self.slave)
        return bool(modes[3] & _ECHO)


@contextmanager
def _on_a_terminal(place: Place, *args: str) -> Iterator[tuple[Terminal, Program]]:
    master, slave = os.openpty()
    try:
        # A session of its own, with the pseudo-terminal as the controlling one: as in a shell.
        with Program(
            place,
            *args,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        ) as program:
            yield Terminal(master, slave), program
    finally:
        os.close(master)
        os.close(slave)


def test_ctrl_c_reaches_the_stage_once_and_the_modes_come_back(place: Place) -> None:
    script = (
        "import signal, subprocess\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "subprocess.run(['stty', '-echo'], check=True)\n"
        "print('ready', flush=True)\n"
        "signal.sigwait({signal.SIGINT})\n"
        "open('got', 'a').write('INT\\n')\n"
        "raise SystemExit(1)\n"
    )
    pipeline = f"stages:\n  s: {{cmd: exec {sys.executable} s.py, outs: [o]}}\n"
    make_project(place, pipeline, write("s.py", script))
    with _on_a_terminal(place, "run", "-n", "e") as (terminal, program):
        terminal.wait_for("ready")
        assert not terminal.echoes
        terminal.type("\x03")
        ended = program.end()
        assert ended.code == 128 + signal.SIGINT
        assert terminal.echoes

    assert (place.repo / "got").read_text() == "INT\n"
    assert b"Traceback" not in terminal.shown


def test_a_terminal_that_takes_nothing_holds_up_no_end(place: Place) -> None:
    make_project(place, "stages:\n  s: {cmd: yes | head -n 100000; sleep 60, outs: [o]}\n")
    with _on_a_terminal(place, "run", "-n", "e") as (terminal, program):
        # As if somebody had typed Ctrl-S.
        while select.select([], [terminal.slave], [], 0)[1]:
            assert program.process.poll() is None, program.end()
        program.send(signal.SIGTERM)
        ended = program.end()

    assert ended.code == 128 + signal.SIGTERM
    assert ended.duration_s < SOON_S


def test_the_foreground_stage_has_the_terminal(place: Place) -> None:
    script = 'test -t 1 && test -t 2 && echo bar; read line; echo "$line" > o\n'
    make_project(place, "stages:\n  s: {cmd: sh s.sh, outs: [o]}\n", write("s.sh", script))
    with _on_a_terminal(place, "run", "-n", "e") as (terminal, program):
        terminal.wait_for("bar")
        terminal.type("typed\n")
        assert program.end().code == 0

    assert (place.repo / "o").read_text() == "typed\n"


def test_no_stage_has_dev_tty_and_none_waits_for_it(place: Place) -> None:
    make_project(place, "stages:\n  s: {cmd: read line < /dev/tty, outs: [o]}\n")
    with _on_a_terminal(place, "run", "-n", "e") as (terminal, program):
        terminal.wait_for("/dev/tty: No such device")
        assert program.end().code == 1


def test_stages_at_a_time_get_end_of_file(place: Place) -> None:
    script = "cat > o; echo done\n"
    make_project(place, "stages:\n  s: {cmd: sh s.sh, outs: [o]}\n", write("s.sh", script))
    with _on_a_terminal(place, "repro", "-j", "2") as (_, program):
        assert program.end().code == 0

    assert (place.repo / "o").read_bytes() == b""


def test_interactive_asks_and_takes_the_answer(place: Place) -> None:
    pipeline = "stages:\n  a: {cmd: echo > a, outs: [a]}\n  b: {cmd: echo > b, outs: [b]}\n"
    make_project(place, pipeline)
    with _on_a_terminal(place, "repro", "-P", "-i") as (terminal, program):
        terminal.wait_for(r"stage 'a'.*\[y/n\] ")
        terminal.type("perhaps\n")
        terminal.wait_for(r"\[y/n\] .*\[y/n\] ")
        terminal.type("y\n")
        terminal.wait_for(r"stage 'b'.*\[y/n\] ")
        terminal.type("n\n")
        ended = program.end()
        terminal.wait_for("aborted by the user")

    assert ended.code == 1
    assert (place.repo / "a").exists()
    assert not (place.repo / "b").exists()


def test_a_question_does_not_hold_up_ctrl_c(place: Place) -> None:
    make_project(place, "stages:\n  a: {cmd: echo > a, outs: [a]}\n")
    with _on_a_terminal(place, "run", "-i") as (terminal, program):
        terminal.wait_for(r"\[y/n\] ")
        terminal.type("\x03")
        ended = program.end()

    assert ended.code == 130
    assert ended.duration_s < PATIENCE_S
    assert not (place.repo / "a").exists()


def test_interactive_without_a_terminal_does_not_run(place: Place) -> None:
    make_project(place, "stages:\n  a: {cmd: echo > a, outs: [a]}\n")

    ended = run(place, "run", "-n", "e", "-i")

    assert ended.code == 1
    assert "aborted" in ended.stderr
    assert not (place.repo / "a").exists()
