"""Showing the logs of stages as they grow."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from exprun.executors.logs import file_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

_CHUNK = 1 << 16
_PATIENCE_S = 1.0


class Logs:
    """Shows logs byte by byte, each under a title; with `stage`, only those of that stage."""

    def __init__(
        self,
        out: BinaryIO,
        *,
        stage: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._stage = stage
        self._clock = clock
        self._offsets: dict[str, int] = {}
        self._latest = ""
        self._latest_at = 0.0

    def show(self, directory: str, title: str = "", *, is_final: bool = True) -> None:
        """Show what was written in a directory since the last call.

        Unless it `is_final`, a line that is not whole waits while another log grows: of progress
        bars that are drawn at the same time, each step would come with a title.
        """
        for path in self._logs_in(directory):
            with open(path, "rb") as file:
                if path not in self._offsets:
                    self._begin(path, title)
                    self._offsets[path] = 0
                file.seek(self._offsets[path])
                while data := file.read(_CHUNK):
                    may_wait = path != self._latest and self._is_growing and not is_final
                    if may_wait and b"\n" not in data:
                        break
                    if path != self._latest:
                        self._begin(path, title)
                    self._out.write(data)
                    self._latest_at = self._clock()
                    self._offsets[path] += len(data)
        self._out.flush()

    @property
    def _is_growing(self) -> bool:
        """Whether the log that was shown last has been written to lately."""
        return self._clock() - self._latest_at < _PATIENCE_S

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to show so far."""
        return not self._latest

    def _begin(self, path: str, title: str) -> None:
        name = os.path.basename(path).removesuffix(".log")
        gap = "\n" if self._latest else ""
        shown = f"{title}: {name}" if title else name
        self._out.write(f"{gap}==> {shown} <==\n".encode(errors="surrogateescape"))
        self._latest = path

    def _logs_in(self, directory: str) -> list[str]:
        """The logs of an attempt, the one that was last written to last."""
        try:
            names = [name for name in os.listdir(directory) if name.endswith(".log")]
        except FileNotFoundError:
            return []
        paths = (os.path.join(directory, name) for name in names if self._is_wanted(name))
        return sorted(paths, key=os.path.getctime)

    def _is_wanted(self, name: str) -> bool:
        if self._stage is None:
            return True
        wanted = file_name(self._stage)
        return name == f"{wanted}.log" or name.startswith(f"{wanted}.attempt-")
