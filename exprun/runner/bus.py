"""Handing the events of a run to its subscribers, none of which can slow it down.

A subscriber that does not keep up loses output, never another event, and is told so in the place
where the loss is. What is lost is still in the logs.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol, Self

import anyio

from exprun.errors import UsageError
from exprun.events import Event, OutputDropped, StageOutput
from exprun.model.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

OUTPUT_LIMIT = 1 << 20
"""Bytes of output that may wait for one subscriber."""


class Audience(Protocol):
    """Those who may want to see output, while it is written."""

    def wants_output(self) -> bool:
        """Whether anybody listens to output now."""

    async def wanting_output(self) -> None:
        """Return once somebody does."""


class EventBus:
    """The events of one run. To be used on the event loop's thread."""

    def __init__(self, run: str, *, clock: Callable[[], float] = time.time) -> None:
        self._run = run
        self._clock = clock
        self._seq = 0
        self._subscriptions: list[Subscription] = []
        self._is_closed = False
        self._listener_came = anyio.Event()

    def publish(self, event: Event) -> Event:
        """Give `event` its place in the run and hand it to all who want it. Never waits."""
        self._seq += 1
        placed = replace(event, seq=self._seq, at=self._clock(), run=self._run)
        for subscription in self._subscriptions:
            subscription.offer(placed)
        return placed

    def wants_output(self) -> bool:
        """Whether anybody listens to output now."""
        return any(subscription.accepts(StageOutput) for subscription in self._subscriptions)

    async def wanting_output(self) -> None:
        """Return once somebody listens to output."""
        while not self.wants_output():
            await self._listener_came.wait()

    def subscribe(self, *kinds: type[Event], output_limit: int = OUTPUT_LIMIT) -> Subscription:
        """What happens from now on: only events of `kinds`, or all of them but output."""
        return Subscription(self, kinds, output_limit)

    def close(self) -> None:
        """Nothing more will happen: subscribers get what waits for them, and then the end."""
        self._is_closed = True
        for subscription in self._subscriptions:
            subscription.end()

    def join(self, subscription: Subscription) -> None:
        self._subscriptions.append(subscription)
        self._listener_came.set()
        self._listener_came = anyio.Event()
        if self._is_closed:
            subscription.end()

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)


class Subscription:
    """Events for one reader: enter it, then iterate. It ends with the run."""

    def __init__(self, bus: EventBus, kinds: tuple[type[Event], ...], output_limit: int) -> None:
        self._bus = bus
        self._kinds = kinds
        self._limit = output_limit
        self._waiting: deque[Event] = deque()
        self._output_bytes = 0
        self._news = anyio.Event()
        self._is_entered = False
        self._has_ended = False

    async def __aenter__(self) -> Self:
        self._bus.join(self)
        self._is_entered = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._bus.leave(self)
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if not self._is_entered:
            # Nothing would ever come.
            raise UsageError(
                "a subscription that is not entered gets no events",
                hint="async with runner.subscribe(...) as stream: ...",
            )
        while not self._waiting:
            if self._has_ended:
                raise StopAsyncIteration
            if self._news.is_set():  # Else another task waits for it already.
                self._news = anyio.Event()
            await self._news.wait()
        event = self._waiting.popleft()
        if isinstance(event, StageOutput):
            self._output_bytes -= len(event.data)
        return event

    def accepts(self, kind: type[Event]) -> bool:
        """Whether events of `kind` are wanted here."""
        if self._kinds:
            return issubclass(kind, self._kinds)
        return not issubclass(kind, StageOutput)

    def offer(self, event: Event) -> None:
        """Take `event` if it is wanted and, for output, if there is room."""
        if not self.accepts(type(event)):
            return
        if isinstance(event, StageOutput):
            # Something is always taken, however large, or a small limit would show nothing.
            if self._output_bytes and self._output_bytes + len(event.data) > self._limit:
                self._drop(event)
                return
            self._output_bytes += len(event.data)
        self._waiting.append(event)
        self._news.set()

    def end(self) -> None:
        """Give out what waits, then nothing more."""
        self._has_ended = True
        self._news.set()

    def _drop(self, event: StageOutput) -> None:
        """Tell of the loss in its place; losses of one stage next to each other are one."""
        loss = OutputDropped(
            seq=event.seq,
            at=event.at,
            run=event.run,
            stage=event.stage,
            experiment=event.experiment,
            size=len(event.data),
        )
        last = self._waiting[-1]
        if isinstance(last, OutputDropped) and _place(last) == _place(loss):
            self._waiting[-1] = replace(loss, size=last.size + loss.size)
        else:
            self._waiting.append(loss)
            self._news.set()


def _place(event: OutputDropped) -> tuple[str | None, str]:
    return event.experiment, event.stage
