"""The CPUs that threads run on.

Of a Python process's threads one runs at a time, but while it waits or computes outside of the
interpreter. Threads that do many small things are the slower the more CPUs they are spread over:
each has to be woken there, and finds what the others have touched in another cache. On one CPU they
need about a quarter less time.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROCESSOR = 36
"""Which field of ``/proc/<pid>/stat``, counted from the one after the name (proc_pid_stat(5))."""

_given: set[int] | None = None


@contextmanager
def on_one() -> Iterator[None]:
    """Keep this thread, and those that it starts, on the CPU that it is on now.

    For a program's main thread. What needs more is to be done in `on_all`. Where the system cannot
    do that, or does not allow it, nothing happens.
    """
    global _given
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    given = os.sched_getaffinity(0)
    with suppress(OSError):  # There is no /proc, or it is not allowed.
        os.sched_setaffinity(0, {_current()})
    _given = given
    try:
        yield
    finally:
        _given = None
        _use(given)


@contextmanager
def on_all() -> Iterator[None]:
    """Have this thread use all the CPUs that the process was given.

    For starting processes and threads, which do so then, and for computing without the interpreter.
    """
    if _given is None:
        yield
        return
    before = os.sched_getaffinity(0)
    _use(_given)
    try:
        yield
    finally:
        _use(before)


def _use(cpus: set[int]) -> None:
    with suppress(OSError):  # They may have been taken from this process meanwhile.
        os.sched_setaffinity(0, cpus)


def _current() -> int:
    with open("/proc/thread-self/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[_PROCESSOR])
