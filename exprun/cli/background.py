"""Running the queue in the background: a process of its own that survives the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exprun.project.root import Place

LOG = "background.log"


def start_in_background(place: Place, *, jobs: int) -> tuple[int, str]:
    """Start ``exprun run --run-all -j JOBS``; its pid, and the file that its output goes to."""
    log = os.path.join(place.state_dir, "queue", LOG)
    os.makedirs(os.path.dirname(log), mode=0o700, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "exprun", "run", "--run-all", "-j", str(jobs)],
            cwd=place.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    finally:
        os.close(output)
    # It is meant to outlive us, which Popen would complain of.
    process.returncode = 0
    return process.pid, log
