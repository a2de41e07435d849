"""DVC's list of the paths that running commands read and write: ``.dvc/tmp/rwlock``.

A JSON file ``{"read": {path: [{"pid", "cmd"}]}, "write": {path: {"pid", "cmd"}}}`` with absolute
paths. Nobody may write what another reads or writes, or a directory around it or a path beneath it;
an entry counts as long as its process lives (``dvc.rwlock``).
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exprun.content import only_files
from exprun.model.files import naming
from exprun.model.values import dataclass, field
from exprun.project.locks import Busy, FileLock, Patience
from exprun.project.state_files import replace_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that reads or writes a path, and its command line."""

    pid: int
    cmd: str


@dataclass(slots=True)
class _Table:
    """The content of the file."""

    read: dict[str, list[Holder]] = field(default_factory=dict)
    write: dict[str, Holder] = field(default_factory=dict)


class ReadWriteLock:
    """Takes entries in the list in `tmp_dir`, a project's ``.dvc/tmp``, for one command `cmd`.

    Entries of the same process and `cmd` do not exclude each other, as in DVC: which stages of one
    run may overlap is for the graph to say. Safe to use from several threads, whose equal entries
    are counted. `hardlink` as ``core.hardlink_lock``.
    """

    def __init__(self, tmp_dir: str, *, cmd: str, hardlink: bool = False) -> None:
        self._path = os.path.join(tmp_dir, "rwlock")
        self._guard = FileLock(self._path + ".lock", hardlink=hardlink)
        self._me = Holder(pid=os.getpid(), cmd=cmd)
        self._reading: Counter[str] = Counter()
        self._writing: Counter[str] = Counter()
        self._mutex = threading.Lock()

    @contextmanager
    def held(
        self, *, read: Iterable[str], write: Iterable[str], patience: Patience | None = None
    ) -> Iterator[None]:
        """Hold entries for these absolute paths for the length of a ``with`` block.

        Without `patience` a conflict is an error at once. Raises Busy, naming who is in the way.
        """
        reads, writes = tuple(dict.fromkeys(read)), tuple(dict.fromkeys(write))
        self._acquire(reads, writes, patience or Patience(limit_s=0))
        try:
            yield
        finally:
            self._release(reads, writes)

    def _acquire(self, reads: Sequence[str], writes: Sequence[str], patience: Patience) -> None:
        conflict: Busy | None = None
        for _ in patience.retries(lambda: "paths that another process uses"):
            with self._edit() as table:
                conflict = self._conflict(table, reads, writes)
                if conflict is None:
                    self._enter(table, reads, writes)
                    return
        if conflict is not None:
            raise conflict

    def _enter(self, table: _Table, reads: Sequence[str], writes: Sequence[str]) -> None:
        for path in reads:
            readers = table.read.setdefault(path, [])
            if self._me not in readers:
                readers.append(self._me)
        for path in writes:
            table.write[path] = self._me
        self._reading.update(reads)
        self._writing.update(writes)

    def _release(self, reads: Sequence[str], writes: Sequence[str]) -> None:
        # Leaving must not fail because somebody else is slow: the guard is held for moments only.
        with self._edit(Patience(limit_s=30.0)) as table:
            self._reading.subtract(reads)
            self._writing.subtract(writes)
            for path in reads:
                if self._reading[path] <= 0:
                    del self._reading[path]
                    _forget_reader(table, path, self._me)
            for path in writes:
                if self._writing[path] <= 0:
                    del self._writing[path]
                    if table.write.get(path) == self._me:
                        del table.write[path]

    @contextmanager
    def _edit(self, patience: Patience | None = None) -> Iterator[_Table]:
        with self._mutex, self._guard.held(patience):
            before = _read(self._path)
            table = _load(self._path, before)
            yield table
            after = _to_json(table)
            if after.encode() != before.rstrip(b" "):
                _store(self._path, after)

    def _conflict(self, table: _Table, reads: Sequence[str], writes: Sequence[str]) -> Busy | None:
        """Who is in the way of these entries; entries of dead processes are dropped on the way."""
        clean = _Cleaner(self._path)
        for mine, theirs in (([*reads, *writes], _writers(table)), (writes, _readers(table))):
            for path, holder in theirs:
                if holder == self._me:
                    continue
                wanted = next((one for one in mine if _overlap(one, path)), None)
                if wanted is None:
                    continue
                if clean.is_alive(holder):
                    return _busy(wanted, path, holder)
                _forget_reader(table, path, holder)
                if table.write.get(path) == holder:
                    del table.write[path]
        return None


class _Cleaner:
    """Tells live holders from dead ones, also where a pid has been given to a new process.

    A process that started after the list was last written cannot be in it. But a clock that was set
    forward since makes all look so; then one that was started with the arguments of the holder is.
    """

    def __init__(self, path: str) -> None:
        try:
            self._written = os.stat(path).st_mtime
        except FileNotFoundError:
            self._written = 0.0
        self._known: dict[Holder, bool] = {}

    def is_alive(self, holder: Holder) -> bool:
        known = self._known.get(holder)
        if known is None:
            known = self._known[holder] = self._is_alive(holder)
        return known

    def _is_alive(self, holder: Holder) -> bool:
        try:
            os.kill(holder.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            pass
        started = _started_at(holder.pid)
        if started is None or started <= self._written + _CLOCK_TOLERANCE_S:
            return True
        return _is_started_as(holder)


_CLOCK_TOLERANCE_S = 2.0
_ROOM = 2048


def _started_at(pid: int) -> float | None:
    """When a process started, in seconds of the epoch; None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="utf-8") as file:
            boot = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def _is_started_as(holder: Holder) -> bool:
    """Whether the process has the holder's arguments; its program, which may be called otherwise,
    only counts if there are none.
    """
    try:
        with open(f"/proc/{holder.pid}/cmdline", errors="surrogateescape") as file:
            words = file.read().split("\0")
    except OSError:
        return False
    program, _, arguments = holder.cmd.partition(" ")
    return (arguments or os.path.basename(program)) in " ".join(words)


def _readers(table: _Table) -> list[tuple[str, Holder]]:
    return [(path, holder) for path, holders in table.read.items() for holder in holders]


def _writers(table: _Table) -> list[tuple[str, Holder]]:
    return list(table.write.items())


def _forget_reader(table: _Table, path: str, holder: Holder) -> None:
    left = [other for other in table.read.get(path, ()) if other != holder]
    if left:
        table.read[path] = left
    else:
        table.read.pop(path, None)


def _overlap(one: str, other: str) -> bool:
    one, other = os.path.normpath(one), os.path.normpath(other)
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return longer == shorter or longer.startswith(shorter.rstrip("/") + "/")


def _busy(wanted: str, path: str, holder: Holder) -> Busy:
    around = "" if wanted == path else f" (through '{path}')"
    return Busy(
        f"'{wanted}' is in use{around} by '{holder.cmd}' (pid {holder.pid})",
        hint=f"wait until it has finished, or stop it: kill {holder.pid}",
    )


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0, opener=only_files) as file:
            return file.readall()
    except FileNotFoundError:
        return b"{}"


def _load(path: str, data: bytes) -> _Table:
    try:
        return _from_json(data)
    except ValueError:
        # Torn by a crash of its writer. DVC would refuse to work until somebody removes it.
        os.replace(path, path + ".damaged")
        return _Table()


def _from_json(data: bytes) -> _Table:
    document = json.loads(data)
    table = _Table()
    try:
        for path, holders in document.get("read", {}).items():
            table.read[path] = [_holder(entry) for entry in holders]
        for path, entry in document.get("write", {}).items():
            table.write[path] = _holder(entry)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a list of readers and writers") from error
    return table


def _holder(entry: dict[str, object]) -> Holder:
    pid, cmd = entry["pid"], entry["cmd"]
    if not isinstance(pid, int) or not isinstance(cmd, str) or pid <= 0:
        raise ValueError("not a process")
    return Holder(pid=pid, cmd=cmd)


def _to_json(table: _Table) -> str:
    document: dict[str, object] = {}
    if table.read:
        document["read"] = {
            path: [{"pid": holder.pid, "cmd": holder.cmd} for holder in holders]
            for path, holders in table.read.items()
        }
    if table.write:
        document["write"] = {
            path: {"pid": holder.pid, "cmd": holder.cmd} for path, holder in table.write.items()
        }
    return json.dumps(document)


def _store(path: str, text: str) -> None:
    """Make the file hold `text`, padded with spaces: whole or not at all, should we be killed.

    To replace a file costs tenths of a millisecond, and this one changes twice for each stage; so
    it gets some room, and is overwritten by one call for as long as the text fits.
    """
    data = text.encode()
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError:  # there is none, or something that is no file of ours
        _replace(path, data)
        return
    with naming(path), open(descriptor, "wb", buffering=0) as file:
        size = os.fstat(descriptor).st_size
        if len(data) <= size:
            file.write(data.ljust(size))
            return
    _replace(path, data)


def _replace(path: str, data: bytes) -> None:
    room = -(-len(data) // _ROOM) * _ROOM
    replace_state(path, data.ljust(room), mode=0o666)
