"""Showing a growing log to a sink, for as long as somebody listens."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from exprun.abc import OutputSink

PERIOD_S = 0.05
_CHUNK = 1 << 16


class Follower:
    """Reads what others append to a log. A sink sees what is written from when it listens on."""

    def __init__(self, log: int, output: OutputSink) -> None:
        self._log = log
        self._output = output
        self._offset = os.fstat(log).st_size

    async def run(self) -> None:
        """Follow until cancelled. Nothing is done while nobody listens."""
        while True:
            if not self._output.is_wanted:
                await self._output.wanted()
                self._skip()
            await self.catch_up()
            await anyio.sleep(PERIOD_S)

    async def catch_up(self) -> None:
        """Show everything that the log holds by now, if somebody listens."""
        while self._output.is_wanted and self._show_chunk():
            await anyio.lowlevel.checkpoint()

    def _skip(self) -> None:
        self._offset = os.fstat(self._log).st_size

    def _show_chunk(self) -> bool:
        data = os.pread(self._log, _CHUNK, self._offset)
        if not data:
            # A stage that opens /dev/stdout anew may have cut the log off.
            self._offset = min(self._offset, os.fstat(self._log).st_size)
            return False
        self._output.write(data, offset=self._offset)
        self._offset += len(data)
        return True
