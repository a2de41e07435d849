"""Leases tell who lives, also in the moment in which their holder has just been killed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from exprun.queue.leases import Lease, is_held

if TYPE_CHECKING:
    from pathlib import Path

# It dies with a child that has inherited the lock, and that goes on for as long as it is told.
KILLED = """
import os, signal, subprocess, sys
from exprun.queue.leases import Lease
lease = Lease(sys.argv[1])
subprocess.Popen(["sleep", sys.argv[2]], pass_fds=[lease._descriptor], start_new_session=True)
print(lease.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _killed(directory: Path, child_s: str) -> str:
    script = [sys.executable, "-c", KILLED, str(directory), child_s]
    ended = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    assert ended.stdout is not None
    with ended.stdout as told:
        id = told.readline().strip()
    ended.wait()
    return id


def test_a_lease_is_held_until_it_is_closed(tmp_path: Path) -> None:
    with Lease(str(tmp_path)) as lease:
        assert is_held(str(tmp_path), lease.id)
    assert not is_held(str(tmp_path), lease.id)


def test_what_a_killed_holder_was_starting_does_not_hold_it(tmp_path: Path) -> None:
    assert not is_held(str(tmp_path), _killed(tmp_path, "0.2"))


def test_the_lock_is_believed_more_than_the_pid(tmp_path: Path) -> None:
    assert is_held(str(tmp_path), _killed(tmp_path, "3"))
    for text in (b"", b"x", b"9" * 19, str(os.getpid()).encode()):
        with Lease(str(tmp_path)) as lease:
            (tmp_path / lease.id).write_bytes(text)
            assert is_held(str(tmp_path), lease.id)
