"""The log of a stage: a file of its raw output; and beside the logs, records of how stages ended.

``<name>.log`` holds the bytes the stage wrote and nothing else. To ``ended.jsonl`` a line is added
when a stage has ended; where there is none for a log, it has not, or its orchestrator died.
A file for each stage would cost more than all else that is kept about it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import signal
from typing import TYPE_CHECKING

from exprun.model.files import NO_SPACE, naming
from exprun.model.job import Exited, FailureClass, Killed, Lost, NotStarted, failure_of
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from exprun.model.job import JobOutcome, Leftover

RECORD_VERSION = 2

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+=-")
_LONGEST_NAME = 160
_NAME_FILE = "experiment"
_RECORDS = "ended.jsonl"


def file_name(stage: str) -> str:
    """A file name for `stage`, different for different stages and safe whatever they are called."""
    raw = stage.encode("utf-8", "surrogateescape")
    name = "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in raw)
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) <= _LONGEST_NAME:
        return name or "%"
    return f"{name[:120]}~{hashlib.sha256(raw).hexdigest()[:32]}"


def log_path(directory: str, stage: str) -> str:
    """Where the output of `stage` goes."""
    return os.path.join(directory, file_name(stage) + ".log")


def records_path(log: str) -> str:
    """Where the records are that belong to a log and those beside it."""
    return os.path.join(os.path.dirname(log), _RECORDS)


def open_log(path: str) -> int:
    """Create the log and its directory, for the owner only, and return a descriptor.

    The descriptor appends, so that several writers never overwrite each other.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return os.open(path, flags, 0o600)


def name_logs(directory: str, experiment: str) -> None:
    """Note whose logs are in `directory`, if there are any."""
    with contextlib.suppress(FileNotFoundError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        path = os.path.join(directory, _NAME_FILE)
        with naming(path), open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(experiment)


def logs_named(above: str, experiment: str) -> str | None:
    """The directory in `above` of that experiment's logs, the latest; None if there is none."""
    found: list[tuple[float, str]] = []
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(above):
            path = os.path.join(entry.path, _NAME_FILE)
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
                if file.read() == experiment:
                    found.append((os.fstat(file.fileno()).st_mtime, entry.path))
    return max(found)[1] if found else None


def is_no_space(error: OSError) -> bool:
    """Whether `error` says that there is no room to write."""
    return error.errno in NO_SPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """How a stage ended. `failure` is None for success; `signal` is a name such as ``SIGTERM``."""

    stage: str
    failure: FailureClass | None
    duration_s: float
    exit_code: int | None = None
    signal: str | None = None
    message: str | None = None
    cancelled: str | None = None
    leftovers: tuple[Leftover, ...] = field(default=())


def record_of(
    stage: str,
    outcome: JobOutcome,
    *,
    failure: FailureClass | None = None,
    message: str | None = None,
) -> LogRecord:
    """The record of a job's end. `failure` and `message` tell of a failure after a good exit."""
    return LogRecord(
        stage=stage,
        failure=failure or failure_of(outcome),
        duration_s=round(outcome.duration_s, 6),
        exit_code=outcome.code if isinstance(outcome, Exited) else None,
        signal=signal_name(outcome.signal) if isinstance(outcome, Killed) else None,
        message=outcome.reason if isinstance(outcome, NotStarted | Lost) else message,
        cancelled=outcome.cancelled.name.lower() if outcome.cancelled else None,
        leftovers=outcome.leftovers,
    )


def signal_name(number: int) -> str:
    """``SIGTERM`` for 15; real-time signals by number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def write_record(log: str, record: LogRecord) -> None:
    """Add the record of a log, whole or not at all."""
    fields: dict[str, object] = {"version": RECORD_VERSION, "log": os.path.basename(log)}
    fields["stage"] = record.stage
    fields["failure"] = record.failure
    fields["exit_code"] = record.exit_code
    fields["signal"] = record.signal
    fields["duration_s"] = record.duration_s
    fields["cancelled"] = record.cancelled
    fields["message"] = record.message
    fields["leftovers"] = [
        {"pid": left.pid, "name": left.name, "ended_by": left.ended_by, "survived": left.survived}
        for left in record.leftovers
    ]
    line = json.dumps(fields).encode("ascii") + b"\n"
    path = records_path(log)
    descriptor = open_log(path)
    try:
        with naming(path):
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, line) < len(line):
                # The next record is not to be spoiled by the beginning of this one.
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)
