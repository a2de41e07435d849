"""Blocking work off the event loop, or on it when the machine has no more threads to give."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVarTuple, Unpack

    from anyio import CapacityLimiter

    Ts = TypeVarTuple("Ts")

T = TypeVar("T")


async def run_sync(
    work: Callable[[Unpack[Ts]], T], *args: *Ts, limiter: CapacityLimiter | None = None
) -> T:
    """What `work` returns, run in a thread of at most as many as `limiter` allows."""
    try:
        return await anyio.to_thread.run_sync(work, *args, limiter=limiter)
    except RuntimeError as error:
        if str(error) != "can't start new thread":
            raise
    async with limiter or anyio.to_thread.current_default_thread_limiter():
        return work(*args)
