"""Telling which file times can be trusted: the file system stamps changes tick by tick."""

from __future__ import annotations

import sys
import time

_LONGEST_TICK_NS = 20_000_000
_COARSE_REALTIME = 5  # CLOCK_REALTIME_COARSE of Linux, which Python does not name

WORTH_WAITING = 1024 * 1024
"""Hashing fewer bytes than this again is cheaper than waiting for the next tick."""

PER_FILE = 4096
"""What a file weighs besides its bytes: opening it costs about as much as hashing these."""


def horizon(newest_ns: int, weight: int) -> int:
    """A time such that a file last changed before it shows every later change in its mtime.

    A file written within the present tick can be written again without its mtime moving (what git
    calls racily clean). If `newest_ns` is that young and `weight` bytes are at stake, waits for
    the next tick, some milliseconds.
    """
    now = file_clock()
    if weight >= WORTH_WAITING:
        while now <= newest_ns < now + _LONGEST_TICK_NS:
            time.sleep(0.001)
            now = file_clock()
    return now


def file_clock() -> int:
    """No later than any stamp the kernel will give to a file from now on."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(_COARSE_REALTIME)
    return time.time_ns() - _LONGEST_TICK_NS
