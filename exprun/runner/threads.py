"""Blocking work off the event loop, or on it when the machine has no more threads to give."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from exprun.room import threads_that_fit

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVarTuple, Unpack

    Ts = TypeVarTuple("Ts")

T = TypeVar("T")

_MOST = 40

_all: RunVar[CapacityLimiter | None] = RunVar("exprun threads")
"""How many threads the work on an event loop has; None if there is room for none."""


async def run_sync(
    work: Callable[[Unpack[Ts]], T], *args: *Ts, limiter: CapacityLimiter | None = None
) -> T:
    """What `work` returns, run in a thread of at most as many as `limiter` allows."""
    async with limiter or nullcontext():
        threads = _threads()
        if threads is not None:
            try:
                return await anyio.to_thread.run_sync(work, *args, limiter=threads)
            except RuntimeError as error:
                if str(error) != "can't start new thread":
                    raise
        await anyio.lowlevel.checkpoint()
        return work(*args)


def _threads() -> CapacityLimiter | None:
    try:
        return _all.get()
    except LookupError:
        # One more is set aside: passing on the output of a stage may need it.
        count = threads_that_fit(_MOST + 1) - 1
        threads = CapacityLimiter(count) if count > 0 else None
        _all.set(threads)
        return threads
