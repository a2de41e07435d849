"""Tracing: every event on standard error for -v, and as JSON lines in a file, through structlog.

structlog is slow to import, so this module is imported only when something is traced.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from exprun import events

if TYPE_CHECKING:
    from collections.abc import Callable

_NOISY = (events.StageOutput,)


def trace_to_stderr(verbosity: int) -> Callable[[events.Event], None]:
    """A subscriber that writes readable lines; the stages' output only from -vv on."""
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    log = _logger(sys.stderr, renderer)

    def show(event: events.Event) -> None:
        if verbosity > 1 or not isinstance(event, _NOISY):
            _log(log, event)

    return show


def trace_to_json(file: TextIO) -> Callable[[events.Event], None]:
    """A subscriber that writes one JSON object a line to `file`."""
    log = _logger(file, structlog.processors.JSONRenderer())
    return lambda event: _log(log, event)


def _logger(file: TextIO, renderer: Any) -> Any:
    return structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[structlog.processors.TimeStamper(fmt="iso"), renderer],
    )


def _log(log: Any, event: events.Event) -> None:
    fields = events.to_json(event)
    name = fields.pop("event")
    log.info(name, **{key: value for key, value in fields.items() if value is not None})
