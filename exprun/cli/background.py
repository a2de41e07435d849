"""Running the queue in the background: a process of its own that survives the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from exprun.cli import exits
from exprun.runner.queues import open_queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.queue.queue import Queue
    from exprun.runner.opening import Opened

LOG = "background.log"
_PATIENCE_S = 10.0
_PERIOD_S = 0.01


def start_in_background(
    opened: Opened, options: Sequence[str], *, cwd: str, quiet: bool = False
) -> int:
    """Start ``exprun run --run-all OPTIONS``, and say where its output goes, unless `quiet`.

    If it ends before it has come to run anything, what it said is said here.
    """
    opened.repository.head()  # refused here, where it is seen, rather than in the background
    log = os.path.join(opened.place.state_dir, "queue", LOG)
    os.makedirs(os.path.dirname(log), mode=0o700, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    said_before = os.fstat(output).st_size
    try:
        process = subprocess.Popen(
            # What lies in the current directory is the project's: no module of ours (-P).
            [sys.executable, "-P", "-m", "exprun", "run", "--run-all", *options],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    finally:
        os.close(output)
    # It is meant to outlive us, which Popen would complain of.
    process.returncode = 0
    code = _wait_until_it_runs(open_queue(opened), process.pid)
    if code in (exits.REFUSED, exits.BROKEN):
        with open(log, errors="replace") as file:
            file.seek(said_before)
            sys.stderr.write(file.read())
        return code
    if not quiet:
        pid = process.pid
        sys.stdout.write(f"Running the queue in the background (pid {pid}), output in {log}\n")
    return exits.OK


def _wait_until_it_runs(queue: Queue, pid: int) -> int | None:
    """Wait until a command given next, such as `exprun queue stop`, is heard; no longer if the
    process ends, whose exit code is returned, or takes its time.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None:
            return ended.si_status if ended.si_code == os.CLD_EXITED else exits.BROKEN
        if queue.is_run_by(pid):
            break
        time.sleep(_PERIOD_S)
    return None
