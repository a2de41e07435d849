"""Running the queue in the background: a process of its own that survives the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from exprun.cli import exits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.runner.opening import Opened

LOG = "background.log"


def start_in_background(
    opened: Opened, options: Sequence[str], *, cwd: str, quiet: bool = False
) -> int:
    """Start ``exprun run --run-all OPTIONS``, and say where its output goes, unless `quiet`."""
    opened.repository.head()  # refused here, where it is seen, rather than in the background
    log = os.path.join(opened.place.state_dir, "queue", LOG)
    os.makedirs(os.path.dirname(log), mode=0o700, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
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
    if not quiet:
        pid = process.pid
        sys.stdout.write(f"Running the queue in the background (pid {pid}), output in {log}\n")
    return exits.OK
