"""Passing a foreground job's output on to the caller's streams, live, while its log is kept.

A stream that is a terminal for the caller is one for the job: a pseudo-terminal, whose bytes are
written to the log and passed on. Else the job writes its stdout into the log by itself, which costs
nothing, and the new part of the log is passed on from there; a stderr that leads elsewhere than
stdout comes through a pipe, and so does all output of a job that would open its log anew. What was
put into the log here must not go to stdout as well, so its place is remembered: a descriptor that
appends stands, after a write, just behind what it wrote.

All of it blocks, so it has a thread of its own. The thread is a daemon: a reader that has stopped
reading can keep it, but not the process.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import anyio

from exprun.executors.console import copy_size, open_terminal
from exprun.executors.logs import open_log

if TYPE_CHECKING:
    from exprun.executors.console import Console

_PERIOD_MS = 25
_LONGEST_PERIOD_MS = 100
_QUIET_S = 0.003
_CHUNK = 1 << 16
_LAST_WORDS_S = 0.5
_READS_OF_THE_REST = 1024
"""More than a pipe or a terminal holds."""


class _Source:
    """Where output comes in and where it goes to."""

    __slots__ = ("is_terminal", "read_end", "target", "write_end")

    def __init__(self, target: int, *, is_terminal: bool) -> None:
        self.target = target
        self.is_terminal = is_terminal
        self.read_end, self.write_end = open_terminal(target) if is_terminal else os.pipe()


class Relay:
    """Carries one job's output. `stdout` and `stderr` are the descriptors to give to the job.

    With `pipes`, neither is the log itself.
    """

    def __init__(self, console: Console, log_path: str, log: int, *, pipes: bool) -> None:
        with ExitStack() as undo:
            self._log_writer = _kept(undo, open_log(log_path))
            self._log_reader = _kept(undo, os.open(log_path, os.O_RDONLY | os.O_CLOEXEC))
            self._sources: list[_Source] = []
            self._copied_to: int | None = None
            if pipes or os.isatty(console.stdout):
                self.stdout = self._add(undo, console.stdout).write_end
            else:
                self.stdout, self._copied_to = log, console.stdout
            self.stderr = (
                self.stdout if console.is_joined else self._add(undo, console.stderr).write_end
            )
            self._orders, self._orders_in = (_kept(undo, end) for end in os.pipe())
            self._answers_out, self._answers = (_kept(undo, end) for end in os.pipe())
            self._position = os.fstat(log).st_size
            self._ours: deque[tuple[int, int]] = deque()
            self._broken: set[int] = set()
            self._idle_ms = _PERIOD_MS
            threading.Thread(target=self._work, name="exprun relay", daemon=True).start()
            undo.pop_all()

    async def flush(self) -> None:
        """Return when all that the job has written so far is passed on."""
        await self._order(b"f")

    async def finish(self) -> None:
        """Return when all is passed on, and end the thread. The job must have ended."""
        await self._order(b"q")

    def abandon(self) -> None:
        """End the thread as soon as it can; it closes what it uses."""
        if self._orders_in >= 0:
            os.close(self._orders_in)
            os.close(self._answers_out)
            self._orders_in = -1

    async def _order(self, order: bytes) -> None:
        os.write(self._orders_in, order)
        await anyio.wait_readable(self._answers_out)
        os.read(self._answers_out, 1)

    def _add(self, undo: ExitStack, target: int) -> _Source:
        source = _Source(target, is_terminal=os.isatty(target))
        _kept(undo, source.read_end)
        _kept(undo, source.write_end)
        self._sources.append(source)
        return source

    def _work(self) -> None:
        poller = select.poll()
        poller.register(self._orders, select.POLLIN)
        for source in self._sources:
            os.set_blocking(source.read_end, False)
            poller.register(source.read_end, select.POLLIN)
        try:
            while self._step(poller):
                pass
        finally:
            self._close()

    def _step(self, poller: select.poll) -> bool:
        """Pass on what is there, or wait for it; False when the job and its output have ended."""
        ready = {fd for fd, _ in poller.poll(None if self._copied_to is None else self._idle_ms)}
        self._pump(ready)
        was_idle = not self._copy()
        self._idle_ms = min(self._idle_ms * 2, _LONGEST_PERIOD_MS) if was_idle else _PERIOD_MS
        if self._orders not in ready:
            return True
        order = os.read(self._orders, 1)
        if order == b"f":
            self._drain(pause_s=_QUIET_S)
        else:
            self._hang_up()
            self._drain(pause_s=_LAST_WORDS_S)
        with suppress(BrokenPipeError):
            os.write(self._answers, b".")
        return order == b"f"

    def _drain(self, *, pause_s: float) -> None:
        """Pass on what is still in flight: until every source has ended, or pauses for so long.

        A slow reader does not use up the time to wait. A daemon that was allowed to stay holds its
        end open, and may write without end.
        """
        poller = select.poll()
        for source in self._sources:
            poller.register(source.read_end, select.POLLIN)
        open_ends = {source.read_end for source in self._sources}
        left_s = _LAST_WORDS_S
        for _ in range(_READS_OF_THE_REST):
            if not open_ends:
                break
            began = time.monotonic()
            ready = {fd for fd, _ in poller.poll(min(pause_s, left_s) * 1000)}
            left_s = max(0.0, left_s - (time.monotonic() - began))
            if not ready:
                break
            for ended in self._pump(ready):
                poller.unregister(ended)
                open_ends.discard(ended)
        self._copy()

    def _pump(self, ready: set[int]) -> list[int]:
        """Read once from each source that is ready; return those that have ended."""
        ended = []
        for source in self._sources:
            if source.read_end not in ready:
                continue
            try:
                data = os.read(source.read_end, _CHUNK)
            except BlockingIOError:
                continue
            except OSError:  # A pseudo-terminal's way to say that nobody holds its other side.
                data = b""
            if not data:
                ended.append(source.read_end)
                continue
            if source.is_terminal:
                copy_size(source.target, source.read_end)
            self._log(data)
            self._show(source.target, data)
        return ended

    def _log(self, data: bytes) -> None:
        # The log is lost when the disk is full; the job's output is still shown.
        with suppress(OSError):
            written = os.write(self._log_writer, data)
            if self._copied_to is not None:
                end = os.lseek(self._log_writer, 0, os.SEEK_CUR)
                self._ours.append((end - written, end))

    def _copy(self) -> bool:
        """Pass on to stdout what the job has appended to its log; whether there was any."""
        if self._copied_to is None:
            return False
        before = self._position
        size = os.fstat(self._log_reader).st_size
        if size < self._position:
            self._position = 0
            self._ours.clear()
        while self._position < size:
            limit = size
            if self._ours:
                start, end = self._ours[0]
                if start <= self._position:
                    self._position = max(end, self._position)
                    self._ours.popleft()
                    continue
                limit = min(size, start)
            self._copy_to(limit)
        return self._position != before

    def _copy_to(self, limit: int) -> None:
        target = self._copied_to
        assert target is not None
        if target in self._broken:
            self._position = limit
            return
        try:
            sent = os.sendfile(target, self._log_reader, self._position, limit - self._position)
        except BlockingIOError:
            select.select([], [target], [])
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EBADF):
                self._broken.add(target)
                return
            # Some files take no sendfile: those that were opened to append, and old devices.
            count = min(_CHUNK, limit - self._position)
            data = os.pread(self._log_reader, count, self._position)
            self._show(target, data)
            self._position += len(data) or limit - self._position
        else:
            self._position += sent or limit - self._position

    def _show(self, target: int, data: bytes) -> None:
        """Write all of `data`. A stream that nobody reads any more is left alone from then on."""
        view = memoryview(data)
        while view and target not in self._broken:
            try:
                view = view[os.write(target, view) :]
            except BlockingIOError:
                select.select([], [target], [])
            except OSError:
                self._broken.add(target)

    def _hang_up(self) -> None:
        """Let go of our copies of the job's ends, so that the sources can end."""
        for source in self._sources:
            os.close(source.write_end)
            source.write_end = -1

    def _close(self) -> None:
        for source in self._sources:
            os.close(source.read_end)
            if source.write_end >= 0:
                os.close(source.write_end)
        for descriptor in (self._orders, self._answers, self._log_reader, self._log_writer):
            os.close(descriptor)


def _kept(undo: ExitStack, descriptor: int) -> int:
    """`descriptor`, to be closed unless all goes well."""
    undo.callback(os.close, descriptor)
    return descriptor
