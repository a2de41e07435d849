"""Whether there is memory to go on with, and how many threads there is room for.

A thread that finds no memory for its first steps dies without a word, and who has started it waits
for its word for ever: Python's own `Thread.start` does. So none is started unless there is plenty,
and what it would have done is done without it.
"""

from __future__ import annotations

_OF_A_THREAD = 80 << 20
"""Its stack, and what the C library sets aside for whatever the thread will ask for."""

_OF_ALL = 40 << 20
"""What is needed besides, for libraries that are loaded when they are first used among it."""

_SHARE_OF_PROCESSES = 4
"""One in so many that the user may have can be a thread of ours."""

_TO_RUN = 24 << 20
"""With less, a run of anything would come to an end somewhere."""


def is_there_memory() -> bool:
    """Whether there is enough of it to run anything."""
    return _has_memory(_TO_RUN)


def threads_that_fit(most: int) -> int:
    """How many threads may be started besides those that are there, up to `most`.

    For the system each is a process like those that stages need: they are left most of them.
    """
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if limit != resource.RLIM_INFINITY:
        most = min(most, limit // _SHARE_OF_PROCESSES)
    while most and not _has_memory(_OF_ALL + most * _OF_A_THREAD):
        most //= 2
    return most


def _has_memory(size: int) -> bool:
    """Whether the system would let this process have so much; it is given back untouched."""
    import mmap  # Who starts no threads has no use for it.

    try:
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return False
    return True
