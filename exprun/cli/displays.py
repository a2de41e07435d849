"""Handing events to displays, of which a failing one is dropped: a run is not worse for it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.cli.messages import warn
from exprun.model.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun import events

    Show = Callable[[events.Event], None]


class Displays:
    """Numbers and stamps every event, and shows it on each display.

    `on_deaf` is called when nobody reads standard output any more; `failure` is why nothing more
    can be written to it, if that is so.
    """

    def __init__(self) -> None:
        self.on_deaf: Callable[[], None] = lambda: None
        self.failure: OSError | None = None
        self._shows: list[Show] = []
        self._on_stdout: list[Show] = []
        self._count = 0

    def add(self, show: Show, *, on_stdout: bool = False) -> None:
        """Show events with `show` from now on."""
        self._shows.append(show)
        if on_stdout:
            self._on_stdout.append(show)

    def emit(self, event: events.Event) -> None:
        """Show `event`. Never fails because of a stream."""
        self._count += 1
        stamped = replace(event, seq=self._count, at=time.time())
        for show in list(self._shows):
            try:
                show(stamped)
            except BrokenPipeError:
                self._shows.remove(show)
                self.on_deaf()
            except OSError as error:
                self._shows.remove(show)
                if show in self._on_stdout:
                    self.failure = error
                with suppress(OSError):
                    warn(f"events are no longer shown: {error}")
