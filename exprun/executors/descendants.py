"""Finding the processes of a job, wherever they have hidden, through /proc.

Every process a job starts inherits its mark in the environment. Who has replaced its environment
is known by the session of the job's leader, or by a parent that is known. A process that did all
of it, an environment of its own in a session of its own with its parent gone, is not found.

Reading all of /proc costs about 25 µs per process of the machine. Pids are handed out in order,
though, so only those handed out since a job's start can be its own; a job during which the numbers
may have wrapped around pays for the whole table. And nobody can enter the session of another job,
so what such a session holds is told by one file instead of two.
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
_LEADERS: set[int] = set()
"""Of all jobs of this process: until they are reaped, pid and session are theirs alone."""
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
        self._forks: int | None = None
        self._born = 0
        self._known: dict[int, int] = {}
        self._bare: dict[int, int] = {}

    def leads(self, pid: int) -> None:
        """Take note of a command's process, started just now; the one before is not reaped yet."""
        _LEADERS.add(pid)
        self.lead_no_more()
        self._leader = pid
        if self._first is None:
            self._first = pid
            self._since = time.monotonic()
            self._forks = _count_forks()
            stat = _read(f"{pid}/stat")
            self._born = _born(_fields(stat)) if stat else 0

    def lead_no_more(self) -> None:
        """Take note that the leader, if there is one, is about to be reaped."""
        if self._leader is not None:
            _LEADERS.discard(self._leader)

    @property
    def is_quick(self) -> bool:
        """Whether `find` need not look at many processes."""
        last = _last_pid()
        if self._first is None or last is None or self._may_have_wrapped():
            return False
        return _distance(self._first, last) <= _FEW

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
        enough = _pid_max() / 2
        if (time.monotonic() - self._since) * _FASTEST_FORKS_PER_S <= enough:
            return False
        forks = _count_forks()
        return forks is None or self._forks is None or forks - self._forks > enough

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
        others = _LEADERS - {self._leader} if self._leader is not None else set()
        own = {self._leader, os.getpid()} | others
        rows = {
            pid: row
            for pid in pids
            if pid not in own and not _is_in(others, pid) and (row := _look(pid)) is not None
        }
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
    environ = _read(f"{pid}/environ")
    stat = _read(f"{pid}/stat")
    if not stat:
        return None
    fields = _fields(stat)
    if fields[0] in b"ZX":
        return None
    name = stat.rpartition(b")")[0].partition(b"(")[2].decode("utf-8", "replace")
    return _Row(
        Relative(pid, name, session=int(fields[3]), born=_born(fields)),
        parent=int(fields[1]),
        environ=environ or b"",
        is_bare=environ == b"" and not int(fields[6]) & _KERNEL_THREAD,
    )


def _is_in(sessions: set[int], pid: int) -> bool:
    """Whether a process is in one of `sessions`, or has gone."""
    if not sessions:
        return False
    stat = _read(f"{pid}/stat")
    return not stat or int(_fields(stat)[3]) in sessions


def _fields(stat: bytes) -> list[bytes]:
    """Of "pid (name) state parent group session …" what follows the name, itself any text."""
    return stat.rpartition(b")")[2].split()


def _born(fields: list[bytes]) -> int:
    return int(fields[19])


def _read(name: str) -> bytes | None:
    """A file of /proc; None if it may not be read, or its process is gone."""
    try:
        descriptor = os.open(f"{_PROC}/{name}", os.O_RDONLY | os.O_CLOEXEC)
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
    count = _distance(first, last) + 1
    if count <= _FEW:
        return [(first + step) % size for step in range(count)]
    return [pid for pid in _all_pids() if (pid - first) % size < count]


def _distance(first: int, last: int) -> int:
    return (last - first) % _pid_max()


def _last_pid() -> int | None:
    """The latest pid handed out in our namespace; None where the system does not tell."""
    fields = (_read("loadavg") or b"").split()
    return int(fields[-1]) or None if fields and fields[-1].isdigit() else None


def _count_forks() -> int | None:
    """How many processes and threads were started since boot; None where that is not told."""
    told = (_read("stat") or b"").partition(b"\nprocesses ")[2].partition(b"\n")[0]
    return int(told) or None if told.isdigit() else None


@cache
def _pid_max() -> int:
    try:
        with open(f"{_PROC}/sys/kernel/pid_max", "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 32768
