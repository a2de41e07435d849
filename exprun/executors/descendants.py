"""Finding the processes of a job, wherever they have hidden, through /proc.

Every process a job starts inherits its mark in the environment. Who has replaced its environment
is known by the session of the job's leader, or by a parent that is known. A process that did all
of it, an environment of its own in a session of its own with its parent gone, is not found.

Reading all of /proc costs about 25 µs per process of the machine. Pids are handed out in order,
though, so for a short job only those handed out since its start can be its own; a long job, during
which the numbers may have wrapped around, pays for the whole table.
"""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING

from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VARIABLE = "EXPRUN_JOB"
"""Holds the marks of a process's jobs, outermost first, joined by colons."""

_PROC = "/proc"
_FEW = 128
_FASTEST_FORKS_PER_S = 50_000
_KERNEL_THREAD = 0x0020_0000
_LOOKS = 20
_PAUSE_S = 0.0015
_CHUNK = 1 << 16


def with_mark(env: Mapping[str, str], mark: str) -> dict[str, str]:
    """`env` with the mark added; exprun within a stage of exprun keeps the outer mark."""
    outer = env.get(VARIABLE)
    return {**env, VARIABLE: f"{outer}:{mark}" if outer else mark}


def find_marked(mark: str) -> tuple[int, ...]:
    """The pids of all living processes that carry `mark`, or descend from one that does."""
    return tuple(relative.pid for relative in Family(mark).find())


@dataclass(frozen=True, slots=True)
class Relative:
    """A living process of a job."""

    pid: int
    name: str
    session: int
    born: int


@dataclass(frozen=True, slots=True)
class _Row:
    relative: Relative
    parent: int
    environ: bytes
    is_bare: bool


class Family:
    """The processes of one job, but for its leader, which is not reaped before they are gone."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._leader: int | None = None
        self._first: int | None = None
        self._since = 0.0
        self._born = 0
        self._known: dict[int, int] = {}
        self._bare: dict[int, int] = {}

    def leads(self, pid: int) -> None:
        """Take note of a command's process, started just now."""
        self._leader = pid
        if self._first is None:
            self._first = pid
            self._since = time.monotonic()
            row = _look(pid)
            self._born = row.relative.born if row else 0

    @property
    def is_quick(self) -> bool:
        """Whether `find` need not read the whole table."""
        return self._first is not None and not self._may_have_wrapped()

    def find(self) -> list[Relative]:
        """All living relatives, at one moment no earlier than the call."""
        last = _last_pid()
        span = self._span(last)
        found = self._among(_all_pids() if span is None else span)
        while not found and last is not None:
            # Somebody may have forked and died between being listed and being looked at.
            latest = _last_pid()
            if latest is None or latest == last:
                break
            found = self._among(_span(last + 1, latest))
            last = latest
        return found

    def still(self, relatives: Iterable[Relative]) -> list[Relative]:
        """Those of `relatives` that are still alive."""
        return self._among(relative.pid for relative in relatives)

    def _span(self, last: int | None) -> list[int] | None:
        if self._first is None or last is None or self._may_have_wrapped():
            return None
        return _span(self._first, last)

    def _may_have_wrapped(self) -> bool:
        handed_out_at_most = (time.monotonic() - self._since) * _FASTEST_FORKS_PER_S
        return handed_out_at_most > _pid_max() / 2

    def _among(self, pids: Iterable[int]) -> list[Relative]:
        rows = self._rows(pids)
        known = {pid for pid, row in rows.items() if self._is_kin(row)}
        grown = bool(known)
        while grown:
            children = {p for p, row in rows.items() if row.parent in known and p not in known}
            known |= children
            grown = bool(children)
        self._known |= {pid: rows[pid].relative.born for pid in known}
        return [rows[pid].relative for pid in sorted(known)]

    def _rows(self, pids: Iterable[int]) -> dict[int, _Row]:
        """A row for each living process, once its environment can tell what it is."""
        own = (self._leader, os.getpid())
        rows = {pid: row for pid in pids if pid not in own and (row := _look(pid)) is not None}
        for _ in range(_LOOKS):
            bare = [row.relative for row in rows.values() if self._is_unclear(row)]
            if not bare:
                return rows
            time.sleep(_PAUSE_S)
            for relative in bare:
                row = _look(relative.pid)
                if row is None:
                    del rows[relative.pid]
                else:
                    rows[relative.pid] = row
        self._bare |= {relative.pid: relative.born for relative in bare}
        return rows

    def _is_unclear(self, row: _Row) -> bool:
        """Whether a process may be in the middle of an exec, when it has no environment.

        One that stays like this has cleared it on purpose.
        """
        pid, born = row.relative.pid, row.relative.born
        if not row.is_bare or born < self._born or self._bare.get(pid) == born:
            return False
        return not self._is_kin(row)

    def _is_kin(self, row: _Row) -> bool:
        relative = row.relative
        # A relative stays one when its parent, by which it was known, has gone.
        was_known = self._known.get(relative.pid) == relative.born
        return self._mark in row.environ or was_known or relative.session == self._leader


def _look(pid: int) -> _Row | None:
    """What /proc says of a process; None if it has ended."""
    environ = _read(pid, "environ")
    stat = _read(pid, "stat")
    if not stat:
        return None
    # "pid (name) state parent group session …", and the name may hold anything.
    head, _, tail = stat.rpartition(b")")
    fields = tail.split()
    if fields[0] in b"ZX":
        return None
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    return _Row(
        Relative(pid, name, session=int(fields[3]), born=int(fields[19])),
        parent=int(fields[1]),
        environ=environ or b"",
        is_bare=environ == b"" and not int(fields[6]) & _KERNEL_THREAD,
    )


def _read(pid: int, name: str) -> bytes | None:
    """A file of a process; None if it may not be read, or the process is gone."""
    try:
        descriptor = os.open(f"{_PROC}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = chunk = os.read(descriptor, _CHUNK)
        while len(chunk) == _CHUNK:
            chunk = os.read(descriptor, _CHUNK)
            data += chunk
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data


def _all_pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]
    except OSError:
        return []


def _span(first: int, last: int) -> list[int]:
    """The pids handed out from `first` to `last`, where the numbers may have wrapped around."""
    size = _pid_max()
    count = (last - first) % size + 1
    if count <= _FEW:
        return [(first + step) % size for step in range(count)]
    return [pid for pid in _all_pids() if (pid - first) % size < count]


def _last_pid() -> int | None:
    """The latest pid handed out in our namespace; None where the system does not tell."""
    try:
        descriptor = os.open(f"{_PROC}/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        last = int(os.read(descriptor, 256).split()[-1])
    except (OSError, ValueError, IndexError):
        return None
    finally:
        os.close(descriptor)
    return last if last > 0 else None


@cache
def _pid_max() -> int:
    try:
        with open(f"{_PROC}/sys/kernel/pid_max", "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 32768
