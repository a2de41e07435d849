"""Who is at work in a project, so that what a killed exprun has left running can be ended.

While its stages run, a session holds a kernel lock on a file that is named by its mark, which all
its processes carry in their environment. A file that nobody holds tells of a session that died.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_MARK = pattern(r"[0-9a-f]{32}")
_GRACE_S = 2.0
_SETTLED_S = 60.0


@contextmanager
def present(directory: str, mark: str) -> Iterator[None]:
    """Be known by `mark` for the length of a ``with`` block."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = os.path.join(directory, mark)
    # Under its name, the file is never seen unlocked while we live.
    new = os.path.join(directory, f".{mark}")
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(new, path)
        yield
    finally:
        for name in (new, path):
            with suppress(FileNotFoundError):
                os.unlink(name)
        os.close(descriptor)


def is_present(directory: str, mark: str) -> bool:
    """Whether the session of that mark lives."""
    try:
        descriptor = os.open(os.path.join(directory, mark), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _is_free(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


async def end_what_the_dead_left(directory: str, warn: Callable[[str], None]) -> None:
    """End the processes of sessions that have died; `warn` is told of each."""
    from exprun.executors.local import end_orphans

    for mark in _marks(directory):
        with _taken_over(os.path.join(directory, mark)) as is_ours:
            if is_ours:
                for left in await end_orphans(mark, grace_s=_GRACE_S):
                    warn(f"ended '{left.name}' (pid {left.pid}), left by a run that was killed")
    _remove_unborn(directory)


def _marks(directory: str) -> list[str]:
    try:
        return sorted(filter(_MARK.fullmatch, os.listdir(directory)))
    except FileNotFoundError:
        return []


def _remove_unborn(directory: str) -> None:
    """Remove the files of those who were killed before they had locked them."""
    with suppress(FileNotFoundError):
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name.startswith(".") and os.stat(path).st_mtime < time.time() - _SETTLED_S:
                os.unlink(path)


@contextmanager
def _taken_over(path: str) -> Iterator[bool]:
    """Whether the file's owner is dead; then the file is ours to delete after the block."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        is_ours = _is_free(descriptor)
        yield is_ours
        if is_ours:
            with suppress(FileNotFoundError):
                os.unlink(path)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
