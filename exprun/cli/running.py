"""What `run` and `repro` share: a session with its output, and signals that end it."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

import anyio

from exprun.cli import exits
from exprun.cli.messages import warn
from exprun.cli.plain import PlainOutput
from exprun.errors import ExprunError
from exprun.executors.console import Console
from exprun.executors.local import LocalExecutor
from exprun.model.job import CancelReason
from exprun.model.values import replace
from exprun.runner.opening import Opened, open_project
from exprun.runner.session import Session

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from exprun import events
    from exprun.model.experiment import ReproOptions

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """A signal ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def open_here(cwd: str) -> Opened:
    """The project around the current directory, with this process's environment."""
    return open_project(cwd, env=dict(os.environ), warn=warn)


def run_session(
    opened: Opened,
    namespace: argparse.Namespace,
    options: ReproOptions,
    work: Callable[[Session], Awaitable[int]],
    *,
    show: Callable[[events.Event], None] | None = None,
) -> int:
    """Carry out `work` in a session and return its exit code, or that of the signal it got.

    What happens is given to `show`, which prints plain lines by default.
    """
    with ExitStack() as stack:
        session = Session(
            opened,
            LocalExecutor(console=Console()),
            emit=_emitter(namespace, show or _plain(namespace, options), stack),
            jobs=namespace.jobs,
            grace_s=namespace.grace,
            confirm=_confirm,
            shows_output=bool(show or namespace.log_json or namespace.verbose > 1)
            and not namespace.quiet,
        )
        try:
            return anyio.run(_with_signals, session, work)
        except Interrupted as interrupted:
            warn(f"interrupted; what ran so far is kept (logs: {session.log_dir})")
            return 128 + interrupted.number


async def _with_signals(session: Session, work: Callable[[Session], Awaitable[int]]) -> int:
    received: list[int] = []
    code = exits.OK
    failure: ExprunError | None = None

    async def watch() -> None:
        async for number in signals:
            received.append(number)
            session.cancel(_reason(number, len(received)))

    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            try:
                code = await work(session)
            except ExprunError as error:
                failure = error
            tasks.cancel_scope.cancel()
    if failure is None:
        return code
    if received:
        raise Interrupted(received[0])
    raise failure


def _reason(number: int, count: int) -> CancelReason:
    if count > 1:
        return CancelReason.KILLED
    return CancelReason.INTERRUPTED if number == signal.SIGINT else CancelReason.REQUESTED


def _plain(namespace: argparse.Namespace, options: ReproOptions) -> Callable[[events.Event], None]:
    return PlainOutput(options.selection.cwd, quiet=namespace.quiet, on_error=options.on_error).show


def _emitter(
    namespace: argparse.Namespace, show: Callable[[events.Event], None], stack: ExitStack
) -> Callable[[events.Event], None]:
    """Stamps every event and hands it to `show` and the traces that were asked for."""
    displays = [show]
    if namespace.verbose:
        from exprun.cli.tracing import trace_to_stderr

        displays.append(trace_to_stderr(namespace.verbose))
    if namespace.log_json:
        from exprun.cli.tracing import trace_to_json

        file = stack.enter_context(open(namespace.log_json, "a", encoding="utf-8", buffering=1))
        displays.append(trace_to_json(file))
    count = 0

    def emit(event: events.Event) -> None:
        nonlocal count
        count += 1
        stamped = replace(event, seq=count, at=time.time())
        for display in displays:
            display(stamped)

    return emit


async def _confirm(question: str) -> bool:
    """Ask on the terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    answer = await anyio.to_thread.run_sync(input, f"{question} [y/n] ")
    return answer.strip().lower() in {"y", "yes"}
