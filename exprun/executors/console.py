"""The caller's terminal, or whatever its three standard streams are, lent to a foreground job."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

_WINDOW = struct.Struct("HHHH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Descriptors of the caller's standard streams. What it has buffered, it flushes itself."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2

    @property
    def is_joined(self) -> bool:
        """Whether stdout and stderr lead to the same place."""
        try:
            out, err = os.fstat(self.stdout), os.fstat(self.stderr)
        except OSError:
            return False
        return (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)

    @property
    def may_read(self) -> bool:
        """Whether a job may read stdin: not if that is the terminal of another foreground."""
        try:
            return not os.isatty(self.stdin) or os.tcgetpgrp(self.stdin) == os.getpgrp()
        except OSError:
            return False

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Undo, on leaving, what a job that was stopped midway has done to the terminal's modes."""
        if not (self.may_read and os.isatty(self.stdin)):
            yield
            return
        modes = termios.tcgetattr(self.stdin)
        try:
            yield
        finally:
            # From the background this would stop us.
            if self.may_read:
                with suppress(termios.error):
                    # To wait for what is still to be shown may be to wait for ever.
                    termios.tcsetattr(self.stdin, termios.TCSANOW, modes)


def open_terminal(like: int) -> tuple[int, int]:
    """A new pseudo-terminal, master and slave, as large as `like`, that passes bytes unchanged."""
    master, slave = os.openpty()
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    copy_size(like, master)
    return master, slave


def copy_size(source: int, target: int) -> None:
    """Give the terminal `target` the size of `source`, if it has one."""
    with suppress(OSError):
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(_WINDOW.size))
        fcntl.ioctl(target, termios.TIOCSWINSZ, size)
