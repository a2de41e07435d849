"""What `run` and `repro` share: a session with its output, and signals that end it."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio

from exprun.cli import exits
from exprun.cli.displays import Displays, add_traces
from exprun.cli.ending import Ending, received_signals
from exprun.cli.event_files import STANDARD_OUTPUT
from exprun.cli.messages import warn
from exprun.cli.plain import PlainOutput
from exprun.cli.unread import Unread
from exprun.errors import ExprunError
from exprun.executors.console import Console
from exprun.executors.local import LocalExecutor
from exprun.project.config_files import user_config_dir
from exprun.room import is_there_memory
from exprun.runner.resources import Resources, load_resources
from exprun.runner.session import Session

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from exprun import events
    from exprun.model.experiment import ReproOptions
    from exprun.runner.opening import Opened

_CONSOLE = Console()


def run_session(
    opened: Opened,
    namespace: argparse.Namespace,
    options: ReproOptions,
    work: Callable[[Session], Awaitable[int]],
    *,
    show: Callable[[events.Event], None] | None = None,
    console: Console | None = _CONSOLE,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
    kept: str | None = None,
) -> int:
    """Carry out `work` in a session and return its exit code, or that of the signal it got.

    What happens is given to `show`, which prints plain lines by default. Stages that run one after
    the other have the `console`, ours by default. `beside` runs meanwhile.
    `kept` says where the work is that a signal has cut short, if that is not in the workspace.
    """
    if not is_there_memory():
        raise MemoryError
    with ExitStack() as stack:
        unread = Unread()
        displays = Displays()
        displays.add(show or _plain(namespace, options), on_stdout=True)
        add_traces(displays, namespace, stack, unread)
        stack.enter_context(unread)
        session = Session(
            opened,
            LocalExecutor(console=console if namespace.events != STANDARD_OUTPUT else None),
            emit=displays.emit,
            jobs=namespace.jobs,
            resources=resources(opened, namespace),
            grace_s=namespace.grace,
            shows_output=_shows_output(namespace, is_lent=console is not None),
        )
        ending = Ending(session, grace_s=namespace.grace)
        session.confirm = partial(_confirm, ending)
        displays.on_deaf = partial(ending.begin, signal.SIGPIPE)
        # What is loaded by now lasts: whoever looks for garbage need not look there.
        gc.freeze()
        code = anyio.run(_until_the_end, session, work, ending, unread, beside, kept)
        if displays.failure is not None and code == exits.OK:
            raise displays.failure
        return code


async def _until_the_end(
    session: Session,
    work: Callable[[Session], Awaitable[int]],
    ending: Ending,
    unread: Unread,
    beside: Callable[[], Coroutine[Any, Any, None]] | None,
    kept: str | None,
) -> int:
    code = exits.OK
    failure: ExprunError | None = None
    with received_signals(unread) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ending.watch, signals, tasks)
            if beside is not None:
                tasks.start_soon(beside)
            try:
                code = await work(session)
            except ExprunError as error:
                failure = error
            tasks.cancel_scope.cancel()
    if ending.number is not None and (failure or ending.number == signal.SIGPIPE):
        with suppress(OSError):
            warn(f"interrupted{f'; {kept}' if kept else _what_is_kept(session, failure)}")
        return 128 + ending.number
    if failure is not None:
        raise failure
    return code


def _what_is_kept(session: Session, failure: ExprunError | None) -> str:
    if not os.path.isdir(session.log_dir):
        return " before a stage ran"
    hint = failure.hint if failure else None
    return "\n  ".join(["; what was finished before is kept", *(hint or "").splitlines()])


def resources(opened: Opened, namespace: argparse.Namespace) -> Resources:
    """The budget: of the command line, of the project, of the user."""
    asked: Resources = namespace.resources or Resources()
    user = user_config_dir(opened.env, "exprun", platform=sys.platform)
    directories = (opened.place.root, user) if user else (opened.place.root,)
    return asked.or_else(load_resources(directories))


def _shows_output(namespace: argparse.Namespace, *, is_lent: bool) -> bool:
    """Whether some display wants what stages write, apart from the console lent to one of them."""
    shown = not is_lent or namespace.jobs > 1 or namespace.log_json or namespace.verbose > 1
    return bool(namespace.events) or bool(shown and not namespace.quiet)


def _plain(namespace: argparse.Namespace, options: ReproOptions) -> Callable[[events.Event], None]:
    return PlainOutput(
        options.selection.cwd,
        quiet=namespace.quiet,
        at_once=namespace.jobs > 1,
        on_error=options.on_error,
    ).show


async def _confirm(ending: Ending, question: str) -> bool:
    """Ask on the terminal; without one, or once the session is to end, the answer is no."""
    if not sys.stdin.isatty():
        return False
    answer = ""

    async def ask() -> None:
        nonlocal answer
        while answer not in {"y", "yes", "n", "no"}:
            sys.stdout.write(f"{question} [y/n] ")
            sys.stdout.flush()
            await anyio.wait_readable(sys.stdin)
            answer = sys.stdin.readline().strip().lower() or "no"
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await ending.begun.wait()
        tasks.cancel_scope.cancel()
    return answer.startswith("y")
