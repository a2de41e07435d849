"""What a command costs: processor time of its whole process tree, and the largest process in it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


class Failed(Exception):
    """A measured command failed, or its result is wrong: its cost would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """`peak_mb` is the resident size of the largest single process."""

    cpu_s: float
    wall_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command to measure. `prepare` is called with the round's number before each start."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    prepare: Callable[[int], Sequence[str] | None] | None = None
    """May return arguments to add."""


def adopt_orphans() -> None:
    """Become the parent of what measured commands leave behind, so that it is counted too.

    Only Linux can do this; elsewhere daemons escape the account.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def measure(command: Command, number: int = 0, *, limit_s: float = 900) -> Cost:
    """Run `command` to the end of all its processes. Raises Failed unless it exits with 0."""
    extra = (command.prepare(number) or ()) if command.prepare else ()
    argv = [*command.argv, *extra]
    output = command.cwd.parent / "output"
    begin = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(
            argv,
            cwd=command.cwd,
            env=command.env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch = threading.Timer(limit_s, os.killpg, (process.pid, signal.SIGKILL))
        watch.start()
        code, wall_s, cpu_s, peak_kb = _reap(process.pid, begin)
        watch.cancel()
        process.returncode = code
    if code != 0:
        said = output.read_text(errors="replace")[-2000:]
        raise Failed(f"`{' '.join(argv)}` exited with {code}:\n{said}")
    return Cost(cpu_s=cpu_s, wall_s=wall_s, peak_mb=peak_kb / 1024)


def _reap(pid: int, begin: float) -> tuple[int, float, float, float]:
    """Wait for `pid` and then for every orphan it left; the wall time is that of `pid`."""
    code, wall_s, cpu_s, peak_kb = 0, 0.0, 0.0, 0.0
    while True:
        try:
            ended, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return code, wall_s, cpu_s, peak_kb
        cpu_s += usage.ru_utime + usage.ru_stime
        peak_kb = max(peak_kb, usage.ru_maxrss)
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            wall_s = time.perf_counter() - begin


def interleaved(commands: Mapping[str, Command], rounds: int) -> dict[str, Cost]:
    """The median costs of `commands`, run in turn so that a noisy moment meets all of them.

    One round before the counted ones fills caches: page cache, byte code, DVC's own.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            cost = measure(command, number)
            if number > 0:
                costs[name].append(cost)
    return {name: _median(taken) for name, taken in costs.items()}


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        cpu_s=median(cost.cpu_s for cost in costs),
        wall_s=median(cost.wall_s for cost in costs),
        peak_mb=median(cost.peak_mb for cost in costs),
    )
