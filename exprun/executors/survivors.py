"""Ending the processes that have outlived a job's command, and telling which they were."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import anyio
import anyio.to_thread

from exprun.executors.logs import signal_name
from exprun.model.job import CancelReason, Leftover
from exprun.room import threads_that_fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exprun.abc import StopRequest
    from exprun.executors.descendants import Family, Relative

_SHORTEST_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.05


class Step(NamedTuple):
    """Send this signal, if any, and wait until then. The times are those of the event loop."""

    signal: int | None
    until: float


class Survivors:
    """What is left of one job. They are not our children, so their end has to be looked for."""

    def __init__(self, family: Family, stop: StopRequest) -> None:
        self._family = family
        self._stop = stop
        self._told: dict[int, Leftover] = {}
        self._alive: list[Relative] = []

    async def end(self, steps: Sequence[Step], *, session: int | None = None) -> None:
        """Go through `steps` until nobody is left; past ones are left out, but for the last.

        With a `session`, only its members count. Once `KILLED` is asked for, the last step is next.
        """
        self._alive = await self._find(session)
        for number, step in enumerate(steps, 1):
            if not self._alive:
                return
            is_last = number == len(steps)
            if is_last or (step.until > anyio.current_time() and not self._must_hurry):
                await self._take(step, session, is_last=is_last)

    def kill(self, *, session: int | None = None) -> None:
        """Kill those that are left, without waiting for their end."""
        for relative in self._of(session, self._family.find()):
            self._send(relative, signal.SIGKILL)

    async def look(self) -> bool:
        """Whether anybody is left."""
        self._alive = self._family.still(self._alive) or await self._find(None)
        return bool(self._alive)

    def report(self) -> tuple[Leftover, ...]:
        """Those that had to be ended, and those that could not be."""
        alive = {relative.pid for relative in self._alive}
        return tuple(
            Leftover(pid=pid, name=left.name, ended_by=left.ended_by, survived=pid in alive)
            for pid, left in sorted(self._told.items())
        )

    @property
    def _must_hurry(self) -> bool:
        return self._stop.reason is CancelReason.KILLED

    async def _take(self, step: Step, session: int | None, *, is_last: bool) -> None:
        reached: set[int] = set()
        pause = _SHORTEST_PAUSE_S
        if step.signal is not None:
            # Children that are known by their parents only must be seen before those are gone.
            self._alive = await self._find(session)
        while self._alive and anyio.current_time() < step.until:
            if self._must_hurry and not is_last:
                return
            for relative in self._alive:
                if step.signal is not None and relative.pid not in reached:
                    self._send(relative, step.signal)
                    reached.add(relative.pid)
            await anyio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
            # Whoever is new was started by one that is known, so look again once those are gone.
            self._alive = self._family.still(self._alive) or await self._find(session)

    def _send(self, relative: Relative, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(relative.pid, number)
        self._told[relative.pid] = Leftover(
            pid=relative.pid, name=relative.name, ended_by=signal_name(number)
        )

    async def _find(self, session: int | None) -> list[Relative]:
        if self._family.is_quick or not threads_that_fit(1):
            found = self._family.find()
        else:
            try:
                found = await anyio.to_thread.run_sync(self._family.find)
            except RuntimeError:  # The machine has no more threads to give.
                found = self._family.find()
        return self._of(session, found)

    @staticmethod
    def _of(session: int | None, relatives: Iterable[Relative]) -> list[Relative]:
        return [one for one in relatives if session is None or one.session == session]
