"""Two coroutines side by side, of which only one decides when both end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from exprun.errors import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


async def run_beside(
    helper: Callable[[], Coroutine[Any, Any, object]], body: Callable[[], Coroutine[Any, Any, T]]
) -> T:
    """Run `body` and return its result; `helper` is cancelled with it.

    An ExecutorError of `body` is raised as itself, not in a group.
    """
    result: T | ExecutorError
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(helper)
        try:
            result = await body()
        except ExecutorError as error:
            result = error
        tasks.cancel_scope.cancel()
    if isinstance(result, ExecutorError):
        raise result
    return result
