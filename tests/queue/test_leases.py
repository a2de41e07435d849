"""Leases tell who lives, also in the moment in which their holder has just been killed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from exprun.queue.leases import Lease, is_held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# It dies with a child that has inherited the lock, and that goes on for as long as its stdin does.
KILLED = """
import os, signal, subprocess, sys
from exprun.queue.leases import Lease
lease = Lease(sys.argv[1])
subprocess.Popen(["cat"], pass_fds=[lease._descriptor], start_new_session=True)
print(lease.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def _killed(directory: Path) -> Iterator[tuple[str, IO[str]]]:
    """The id of a lease whose holder is dead, and what to close to end its child."""
    script = [sys.executable, "-c", KILLED, str(directory)]
    pipe = subprocess.PIPE
    with subprocess.Popen(script, stdin=pipe, stdout=pipe, text=True) as ended:
        assert ended.stdin and ended.stdout
        id = ended.stdout.readline().strip()
        ended.wait()
        yield id, ended.stdin


def test_a_lease_is_held_until_it_is_closed(tmp_path: Path) -> None:
    with Lease(str(tmp_path)) as lease:
        assert is_held(str(tmp_path), lease.id)
    assert not is_held(str(tmp_path), lease.id)


def test_one_whose_file_cannot_be_removed_is_given_up_all_the_same(tmp_path: Path) -> None:
    with Lease(str(tmp_path)) as lease:
        (tmp_path / f"{lease.id}.drain" / "in the way").mkdir(parents=True)
        assert is_held(str(tmp_path), lease.id)
    assert not is_held(str(tmp_path), lease.id)


def test_what_a_killed_holder_was_starting_does_not_hold_it(tmp_path: Path) -> None:
    with _killed(tmp_path) as (id, child):
        child.close()
        assert not is_held(str(tmp_path), id)


def test_the_lock_is_believed_more_than_the_pid(tmp_path: Path) -> None:
    with _killed(tmp_path) as (id, _):
        assert is_held(str(tmp_path), id)
    for text in (b"", b"x", b"9" * 19, str(os.getpid()).encode()):
        with Lease(str(tmp_path)) as lease:
            (tmp_path / lease.id).write_bytes(text)
            assert is_held(str(tmp_path), lease.id)
