"""Starting one process as the leader of a session of its own, and seeing it end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from exprun.cores import on_all
from exprun.errors import ExecutorError
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRANSIENT = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class CannotStart(Exception):
    """The command, its directory or its environment is such that it can never be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stdio:
    """The three descriptors that a process gets."""

    stdin: int
    stdout: int
    stderr: int


class Leader:
    """A started command. It stays a zombie until it is reaped, so that its pid stays its own."""

    __slots__ = ("_pidfd", "_process", "pid")

    def __init__(self, process: subprocess.Popen[bytes], pidfd: int | None) -> None:
        self._process = process
        self._pidfd = pidfd
        self.pid = process.pid

    async def wait(self) -> None:
        """Return when the process has ended. It is not reaped."""
        if self._pidfd is not None:
            await anyio.wait_readable(self._pidfd)
        else:
            await anyio.to_thread.run_sync(_wait_unreaped, self.pid, abandon_on_cancel=True)

    def status(self) -> int | None:
        """Its exit status, negative for a signal; None if somebody else has collected it."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            found = os.waitid(os.P_PID, self.pid, options)
        except ChildProcessError:
            return None
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def signal_group(self, number: int) -> None:
        """Send a signal to the process group, stopped members included. Not after `reap`."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
            os.killpg(self.pid, signal.SIGCONT)

    def reap(self) -> None:
        """Give the pid back. A process that is still alive is left to itself."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        # Popen is not to wait, nor to complain that it was not told to.
        self._process.returncode = 0
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def start(argv: tuple[str, ...], *, cwd: str, env: Mapping[str, str], stdio: Stdio) -> Leader:
    """Start `argv` in a new session, with no other descriptors than `stdio`.

    Raises CannotStart if it never can be, and ExecutorError for everything else; `transient` when
    the machine was out of processes, memory or descriptors.
    """
    try:
        with on_all():
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=stdio.stdin,
                stdout=stdio.stdout,
                stderr=stdio.stderr,
                start_new_session=True,
            )
    except ValueError as error:
        raise CannotStart(str(error)) from error
    except OSError as error:
        if error.errno in _TRANSIENT:
            raise too_much(error) from error
        raise CannotStart(_why(error, argv[0], cwd)) from error
    try:
        pidfd = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    except OSError as error:
        if error.errno in _TRANSIENT:
            _undo(process)
            raise too_much(error) from error
        pidfd = None
    return Leader(process, pidfd)


def too_much(error: OSError) -> ExecutorError:
    """The error for a machine that has no more of something to give just now."""
    return ExecutorError(
        f"cannot start a process: {error.strerror}",
        hint="run fewer jobs at once, or raise the limits (ulimit -n, ulimit -u)",
        transient=True,
        nothing_ran=True,
    )


def is_transient(error: OSError) -> bool:
    """Whether `error` may go away when other jobs have ended."""
    return error.errno in _TRANSIENT


def _undo(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(error: OSError, program: str, cwd: str) -> str:
    if error.filename == cwd and cwd != program:
        return f"working directory '{cwd}': {_lower(error.strerror)}"
    return f"cannot start '{program}': {_lower(error.strerror)}"


def _lower(text: str | None) -> str:
    return text[:1].lower() + text[1:] if text else "unknown error"


def _wait_unreaped(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
