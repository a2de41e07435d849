"""exprun as a process of its own, for tests that send it signals or give it odd streams."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import exprun
from tests.support.project import git as git_action
from tests.support.project import init_dvc, perform, write

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping
    from typing import Self

    from tests.support.environment import Place
    from tests.support.project import Action

PATIENCE_S = 30
COMMAND = (sys.executable, "-m", "exprun")


def environ_of(place: Place) -> dict[str, str]:
    """The environment of exprun in `place`, in which it is found though not installed."""
    package = os.path.dirname(os.path.dirname(exprun.__file__))
    return place.environ() | {"PYTHONPATH": package}


def make_project(place: Place, dvc_yaml: str, *more: Action) -> None:
    """A Git and DVC project with one commit of all its files."""
    actions = (
        git_action("init", "--quiet", "-b", "main"),
        *init_dvc(),
        write("dvc.yaml", dvc_yaml),
        *more,
        git_action("add", "--all"),
        git_action("commit", "--quiet", "-m", "start"),
    )
    for number, action in enumerate(actions):
        perform(action, place, tool=_NOBODY, dvc_tool=_NOBODY, at=number)


class _Nobody:
    experiment_command = ()

    def run(self, *args: object, **options: object) -> Any:
        raise AssertionError("no tool is needed here")


_NOBODY = _Nobody()


def git(place: Place, *args: str) -> str:
    """What a git command prints."""
    return subprocess.run(
        ["git", *args],
        cwd=place.repo,
        env=place.environ(),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    ).stdout


# What experiments are kept under, finished or not.
_EXPERIMENTS = ("refs/exps/", "refs/exprun/")


def git_state(place: Place) -> dict[str, object]:
    """What no run may touch: HEAD, the index to the byte, branches, tags, the stash."""
    directory = Path(git(place, "rev-parse", "--absolute-git-dir").strip())
    refs = git(place, "for-each-ref").splitlines()
    return {
        "HEAD": (directory / "HEAD").read_bytes(),
        "index": (directory / "index").read_bytes(),
        "refs": [line for line in refs if not line.split("\t")[1].startswith(_EXPERIMENTS)],
    }


def experiments(place: Place) -> list[str]:
    """The names of the experiments that are stored."""
    refs = git(place, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return [ref.rsplit("/", 1)[1] for ref in refs]


class Gate:
    """A FIFO through which a stage tells the test that it has come so far."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._text = b""

    def passed(self) -> str:
        """The next line that is written to the FIFO."""
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self._text:
            ready, _, _ = select.select(
                [self._descriptor], [], [], max(0.0, deadline - time.monotonic())
            )
            assert ready, "nobody came"
            self._text += os.read(self._descriptor, 4096)
        line, _, self._text = self._text.partition(b"\n")
        return line.decode()

    def is_empty(self) -> bool:
        """Whether nothing else has been written."""
        return not (self._text or select.select([self._descriptor], [], [], 0)[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the program ended; `code` is negative for a signal."""

    code: int
    stdout: str
    stderr: str
    duration_s: float


class Program:
    """A running exprun. Leaving its ``with`` block kills it."""

    def __init__(
        self,
        place: Place,
        *args: str,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        **popen: Any,
    ) -> None:
        environ: dict[str, str | None] = {**environ_of(place), **(env or {})}
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        streams |= {"stderr": subprocess.PIPE} | popen
        self._asked = time.monotonic()
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [*COMMAND, *args],
            cwd=cwd or place.repo,
            env={name: value for name, value in environ.items() if value is not None},
            **streams,
        )

    def send(self, number: signal.Signals) -> None:
        """Send a signal; `duration_s` counts from the first one."""
        self._asked = time.monotonic()
        self.process.send_signal(number)

    def end(self, timeout_s: float = PATIENCE_S) -> Ended:
        """Wait for the end."""
        out, err = self.process.communicate(timeout=timeout_s)
        return Ended(
            code=self.process.returncode,
            stdout=(out or b"").decode(errors="replace"),
            stderr=(err or b"").decode(errors="replace"),
            duration_s=time.monotonic() - self._asked,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def run(place: Place, *args: str, **options: Any) -> Ended:
    """Run exprun to its end."""
    with Program(place, *args, **options) as program:
        return program.end()


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
