"""Handing events to displays, of which a failing one is dropped: a run is not worse for it."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.cli.event_files import STANDARD_OUTPUT, cannot_write
from exprun.cli.messages import warn
from exprun.cli.ndjson import write_events
from exprun.model.values import replace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from contextlib import ExitStack
    from typing import Literal, TextIO

    from exprun import events
    from exprun.cli.unread import Unread

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


def add_traces(
    displays: Displays, namespace: argparse.Namespace, stack: ExitStack, unread: Unread
) -> None:
    """Show events wherever else that was asked for; `stack` closes files. Raises UsageError."""
    if namespace.verbose:
        from exprun.cli.tracing import trace_to_stderr

        displays.add(trace_to_stderr(namespace.verbose))
    if namespace.log_json:
        from exprun.cli.tracing import trace_to_json

        displays.add(trace_to_json(_open(namespace.log_json, "a", stack, unread)))
    if namespace.events:
        on_stdout = namespace.events == STANDARD_OUTPUT
        stream = sys.stdout if on_stdout else _open(namespace.events, "w", stack, unread)
        displays.add(write_events(stream), on_stdout=on_stdout)


def _open(path: str, mode: Literal["a", "w"], stack: ExitStack, unread: Unread) -> TextIO:
    """A file for events, that `stack` closes. Raises UsageError."""
    try:
        file = open(path, mode, encoding="utf-8", buffering=1)
    except OSError as error:
        raise cannot_write(path, error.strerror or str(error)) from error
    stack.callback(_close, file)
    unread.add(file.fileno())
    return file


def _close(file: TextIO) -> None:
    with suppress(OSError):  # What could not be written has been told of by then.
        file.close()
