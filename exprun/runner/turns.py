"""Short pieces of work of many stages, done one after the other in one thread under one lock.

To change threads and to take DVC's lock costs more than most of the work that needs them. So who
comes first works off what has gathered meanwhile, too, and then hands over to who waits next.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.lowlevel

from exprun.errors import ExprunError
from exprun.runner import threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

T = TypeVar("T")

_ENOUGH_S = 0.02
"""For so long work is gathered before those are told whose work is done."""


class Turns:
    """Does work while `held()` is held. For the tasks of one event loop."""

    def __init__(self, held: Callable[[], AbstractContextManager[None]]) -> None:
        self._held = held
        self._urgent: deque[_Turn] = deque()
        self._others: deque[_Turn] = deque()
        self._is_served = False

    async def take(
        self,
        work: Callable[[], T],
        *,
        then: Callable[[], None] | None = None,
        urgent: bool = False,
    ) -> T:
        """What `work` returns, done in its turn; `urgent` work comes before all that is not.

        `then` follows, once for all work done together that asks for the same, and nobody is told
        that it is done before; what it raises is raised to each of them. Being cancelled waits.
        """
        results: list[T] = []
        turn = _Turn(lambda: results.append(work()), then)
        (self._urgent if urgent else self._others).append(turn)
        with anyio.CancelScope(shield=True):
            if self._is_served:
                await turn.called.wait()
            if not turn.is_over:
                await self._serve_until_over(turn)
        if turn.error is not None:
            raise turn.error
        return results[0]

    async def _serve_until_over(self, turn: _Turn) -> None:
        self._is_served = True
        try:
            # What the same event has led to gathers now.
            await anyio.lowlevel.checkpoint()
            while not turn.is_over:
                await self._serve()
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        waiting = self._urgent or self._others
        self._is_served = bool(waiting)
        if waiting:
            waiting[0].called.set()

    async def _serve(self) -> None:
        done: list[_Turn] = []
        try:
            await threads.run_sync(self._work_off, done)
        finally:
            for turn in done:
                turn.called.set()

    # In a worker thread

    def _work_off(self, done: list[_Turn]) -> None:
        until = time.monotonic() + _ENOUGH_S
        try:
            with self._held():
                while waiting := self._urgent or self._others:
                    done.append(waiting.popleft())
                    done[-1].do()
                    if time.monotonic() > until:
                        break
                _follow_up(done)
        except ExprunError as error:
            while waiting := self._urgent or self._others:
                done.append(waiting.popleft())
            for turn in done:
                turn.fail(error)


class _Turn:
    """Work that waits for its turn; `called` when it is over, or when its owner is to serve."""

    def __init__(self, work: Callable[[], None], then: Callable[[], None] | None) -> None:
        self._work = work
        self.then = then
        self.called = anyio.Event()
        self.is_over = False
        self.error: BaseException | None = None

    def do(self) -> None:
        """Do the work; what it raises is for its owner."""
        try:
            self._work()
        except BaseException as error:
            self.error = error
        self.is_over = True

    def fail(self, error: BaseException) -> None:
        """What was done well has come to nothing."""
        self.error = self.error or error
        self.is_over = True


def _follow_up(done: list[_Turn]) -> None:
    good = [turn for turn in done if turn.then is not None and turn.error is None]
    for then in dict.fromkeys(turn.then for turn in good):
        try:
            then()  # type: ignore[misc]
        except Exception as error:
            for turn in good:
                if turn.then == then:
                    turn.fail(error)
