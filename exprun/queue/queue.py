"""The queue of a project: experiments are added, put in order, claimed, and their ends recorded.

Every change is one line of a journal, made while holding its lock; reading needs no lock. A change
is there for all processes when the call returns, and survives a power failure once it is synced:
at the end of each call, but for the start of an attempt and its success, which the experiment's ref
tells, too.
"""

from __future__ import annotations

import os
import shlex
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exprun.errors import ExprunError, RefConflict, UsageError
from exprun.model.files import naming
from exprun.model.near import did_you_mean
from exprun.model.values import dataclass
from exprun.queue import specs
from exprun.queue.journal import Journal, Sealed, format_line
from exprun.queue.leases import Lease, ask_to_drain, has_lease, is_held, remove_dead
from exprun.queue.ledger import Ledger, attempt_fields
from exprun.queue.leftovers import remove_old_logs, remove_unneeded
from exprun.queue.records import STARTABLE, WAITING, AttemptRecord, Entry, State, entry_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from exprun.model.experiment import ExperimentSpec
    from exprun.queue.journal import Line, News, Writer

_SLACK = 2000
_SLACK_OF_DIRECT_RUNS = 200
_WORTH_TIDYING = 100
_SETTLED_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An experiment about to be queued. Without a `name` it gets one when it is."""

    name: str | None
    baseline: str
    commit: str
    batch: str
    spec: ExperimentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Which names are in use besides those in the queue, and how to make one up."""

    taken: Collection[str]
    make: Callable[[Callable[[str], bool]], str]


def _ignore(_: str) -> None:
    return


class Queue:
    """The queue kept in `directory`. May be shared by threads.

    `warn` is told, once, of each record that is damaged and left aside.
    """

    def __init__(self, directory: str, *, warn: Callable[[str], None] = _ignore) -> None:
        self.directory = directory
        self._journal = Journal(
            os.path.join(directory, "journal.jsonl"),
            on_wait=lambda what: warn(f"waiting for {what}"),
        )
        self._leases = os.path.join(directory, "alive")
        self._ledger = Ledger(self._set_aside)
        self._heard = 0
        self._damaged: list[bytes] = []
        self._warn = warn
        self._turn = threading.RLock()

    # Reading

    def stamp(self) -> tuple[int, int, int]:
        """Differs from an earlier one if the queue has changed; costs one ``stat``."""
        return self._journal.stamp()

    def heard(self) -> int:
        """Differs from an earlier one if other processes have changed the queue."""
        with self._turn:
            self._refresh()
            return self._heard

    def entries(self) -> list[Entry]:
        """All experiments in the order in which they are to be run."""
        with self._turn:
            self._refresh()
            return list(self._ledger.entries(self._liveness()))

    def rows(self) -> list[tuple[Mapping[str, Any], State]]:
        """The records that `entries` are made of, with their states: quicker for thousands."""
        with self._turn:
            self._refresh()
            return list(self._ledger.rows(self._liveness()))

    def unfinished(self) -> list[Entry]:
        """The experiments that have not succeeded, in the order in which they are to be run."""
        with self._turn:
            self._refresh()
            return list(self._ledger.unfinished(self._liveness()))

    def entry(self, id: str) -> Entry | None:
        """One experiment as it stands now."""
        with self._turn:
            self._refresh()
            return self._ledger.entry(id, self._liveness())

    def find(self, names: Iterable[str]) -> list[Entry]:
        """The experiments of these names or ids. Raises UsageError for one that is not there."""
        entries = self.entries()
        found: dict[str, Entry] = {}
        for name in names:
            matching = [entry for entry in entries if name in (entry.name, entry.id)]
            if not matching:
                raise UsageError(
                    f"there is no experiment '{name}' in the queue",
                    hint=did_you_mean(name, (e.name for e in entries), "see `exprun queue status`"),
                )
            found.update((entry.id, entry) for entry in matching)
        return list(found.values())

    def log_dir(self, attempt: AttemptRecord) -> str:
        """Where the logs of an attempt are."""
        above = os.path.dirname(self.directory) if attempt.direct else self.directory
        return os.path.join(above, "logs", attempt.id)

    def copies_dir(self, batch: str) -> str:
        """Where the files are that were copied when a batch was queued."""
        return os.path.join(self.directory, "copies", batch)

    # Queueing

    def lease(self) -> Lease:
        """A sign of life for the length of a command; its id serves as that of a batch."""
        return Lease(self._leases)

    def is_alive(self, lease: str) -> bool:
        """Whether the holder of a lease is alive."""
        return is_held(self._leases, lease)

    def check_names(self, drafts: Iterable[Draft], names: Names) -> None:
        """Raise RefConflict if a name is in use by an experiment of the same baseline."""
        with self._turn:
            self._refresh()
            for draft in drafts:
                if draft.name and self._is_used(draft, draft.name, names):
                    raise _name_in_use(draft.name)

    def add(self, drafts: Sequence[Draft], names: Names, *, force: bool = False) -> Iterator[Entry]:
        """Queue experiments one by one, each there for all when it is yielded.

        When the iterator ends they are durable. If a name turns out to be in use RefConflict is
        raised and none is queued; with `force` experiments of that name that do not run give way.
        """
        if not force:
            self.check_names(drafts, names)
        added: list[str] = []
        try:
            for draft in drafts:
                with self._writing() as writer:
                    line = self._line(draft, names, force=force)
                    if force and draft.name:
                        gone = self._giving_way(draft.baseline, draft.name)
                        self._write(writer, _ids_line("remove", gone))
                    self._write(writer, line)
                    added.append(str(line["id"]))
                    entry = self._ledger.entry(added[-1], self._liveness())
                assert entry is not None
                yield entry
        except (ExprunError, OSError):
            with self._writing() as writer:
                waiting = [id for id in added if self._is_waiting(id)]
                self._write(writer, _ids_line("remove", waiting))
            raise
        finally:
            self.sync()

    def _line(self, draft: Draft, names: Names, *, force: bool) -> Line:
        name = draft.name
        if name is None:
            name = names.make(lambda name: self._is_used(draft, name, names))
        elif not force and self._is_used(draft, name, names):
            raise _name_in_use(name)
        return entry_line(
            id=self._new_id(),
            name=name,
            baseline=draft.baseline,
            commit=draft.commit,
            batch=draft.batch,
            created=round(time.time(), 3),
            spec=specs.to_fields(draft.spec),
        )

    def _new_id(self) -> str:
        """An id that no experiment has."""
        while (id := os.urandom(4).hex()) in self._ledger:
            continue
        return id

    def begin(self, draft: Draft, attempt: AttemptRecord, *, force: bool = False) -> str:
        """Record the start of an experiment that is run directly; its id.

        What earlier direct runs of that name left gives way, with `force` all that does not run.
        Raises RefConflict if the name is in use.
        """
        assert draft.name is not None
        with self._writing() as writer:
            if not force:
                self._require_free(draft.baseline, draft.name)
            gone = self._giving_way(draft.baseline, draft.name)
            id = self._new_id()
            line = entry_line(
                id=id,
                name=draft.name,
                baseline=draft.baseline,
                commit=draft.commit,
                batch=draft.batch,
                created=attempt.started,
                spec=specs.to_fields(draft.spec),
                attempts=[attempt.id],
                last=attempt_fields(attempt),
            )
            self._write(writer, line)
            self._write(writer, _ids_line("remove", gone))
            return id

    def check_name(self, baseline: str, name: str) -> None:
        """Raise RefConflict if `begin` would."""
        with self._turn:
            self._refresh()
            self._require_free(baseline, name)

    def _require_free(self, baseline: str, name: str) -> None:
        alive = self._liveness()
        for id in self._ledger.ids_of(baseline, name):
            entry = self._ledger.entry(id, alive)
            is_left = entry and entry.last and entry.last.direct
            if entry and (not is_left or entry.state is State.RUNNING):
                raise _name_in_use(name)

    def store(self, id: str, attempt: AttemptRecord) -> None:
        """Record that ``attempt.rev`` is about to become the result of a direct run."""
        with self._writing() as writer:
            self._write(writer, {"op": "store", "id": id, "attempt": attempt_fields(attempt)})

    def discard(self, id: str) -> None:
        """Forget an experiment that was run directly, since it is stored."""
        # Where nothing is ever queued, what is over is all there is to read.
        with self._writing(slack=_SLACK_OF_DIRECT_RUNS) as writer:
            self._write(writer, _ids_line("remove", [id]))

    def _is_used(self, draft: Draft, name: str, names: Names) -> bool:
        return name in names.taken or bool(self._ledger.ids_of(draft.baseline, name))

    def _giving_way(self, baseline: str, name: str) -> list[str]:
        """The experiments of that name that do not run."""
        alive = self._liveness()
        same = self._ledger.ids_of(baseline, name)
        found = [entry for id in same if (entry := self._ledger.entry(id, alive))]
        return [entry.id for entry in found if entry.state is not State.RUNNING]

    # Changing

    def remove(self, ids: Sequence[str]) -> None:
        """Take experiments out of the queue. Raises UsageError if one is running."""
        with self._turn, self._writing() as writer:
            for id in ids:
                entry = self._ledger.entry(id, self._liveness())
                if entry and entry.state is State.RUNNING:
                    raise UsageError(
                        f"experiment '{entry.name}' is running",
                        hint=f"stop it first: exprun queue kill {shlex.quote(entry.name)}",
                    )
            self._write(writer, _ids_line("remove", ids))
            writer.sync()

    def hold(self, ids: Sequence[str]) -> None:
        """Keep experiments from being started."""
        self._change("hold", ids)

    def release(self, ids: Sequence[str]) -> None:
        """Let held experiments be started."""
        self._change("release", ids)

    def first(self, ids: Sequence[str]) -> None:
        """Put experiments before all others, in the order given."""
        self._change("first", ids)

    def retry(self, ids: Sequence[str]) -> None:
        """Let failed experiments be run again."""
        with self._writing() as writer:
            failed = [id for id in ids if (e := self.entry(id)) and e.state is State.FAILED]
            self._write(writer, _ids_line("retry", failed))
            writer.sync()

    def wish_stop(self, ids: Sequence[str]) -> None:
        """Ask the orchestrators of running experiments to stop these; see `Entry.last`."""
        self._change("stop", ids)

    def drain(self) -> int:
        """Ask every orchestrator to start nothing more; how many were asked."""
        return ask_to_drain(self._leases)

    def is_run_by(self, pid: int) -> bool:
        """Whether a process that is alive has become an orchestrator."""
        return has_lease(self._leases, pid)

    # Running

    def start(self, id: str, orchestrator: str) -> tuple[Entry, AttemptRecord] | None:
        """Record the start of an attempt of that experiment.

        None if it is not there to be started: held, ended, or running.
        """
        with self._writing() as writer:
            entry = self._ledger.entry(id, self._liveness())
            if entry is None or entry.state not in STARTABLE:
                return None
            attempt = AttemptRecord(
                id=os.urandom(8).hex(), orchestrator=orchestrator, started=round(time.time(), 3)
            )
            line: Line = {"op": "start", "id": entry.id, "attempt": attempt_fields(attempt)}
            self._write(writer, line)
            return entry, attempt

    def end(self, id: str, attempt: AttemptRecord, *, held: bool = False) -> None:
        """Record how an attempt ended; the experiment may be `held` from now on."""
        with self._writing() as writer:
            if held:
                self._write(writer, _ids_line("hold", [id]))
            self._write(writer, {"op": "end", "id": id, "attempt": attempt_fields(attempt)})
            if attempt.rev is None:
                writer.sync()

    def take_back(self, id: str) -> None:
        """Have the experiment wait as if the attempt that it is in had not been."""
        self._change("retry", [id])

    # Housekeeping

    def batches(self) -> set[str]:
        """The batches whose commits and copied files are still needed."""
        with self._turn:
            self._refresh()
            return self._ledger.batches

    def tidy(self) -> None:
        """Make the journal compact, if that is worth it, and remove what dead processes left."""
        with self._writing():
            if self._damaged or self._ledger.lines > len(self._ledger) + _WORTH_TIDYING:
                self._compact()
            attempts, batches = self._ledger.attempts, self._ledger.batches
            for kind, needed in (("logs", attempts), ("copies", batches)):
                remove_unneeded(os.path.join(self.directory, kind), needed, self.is_alive)
            remove_old_logs(os.path.join(os.path.dirname(self.directory), "logs"), attempts)
        remove_dead(self._leases, older_than=time.time() - _SETTLED_S)

    def sync(self) -> None:
        """Make all that was changed durable."""
        with self._writing() as writer:
            writer.sync()

    def _compact(self) -> None:
        if self._damaged:
            path = os.path.join(self.directory, "damaged")
            with naming(path), open(path, "ab", opener=_private) as file:
                file.write(b"".join(text + b"\n" for text in self._damaged))
                file.flush()
                os.fsync(file.fileno())
            self._damaged.clear()
        self._journal.replace(self._ledger.compact())
        self._take(self._journal.read())

    # Writing

    @contextmanager
    def _writing(self, *, slack: int = _SLACK) -> Iterator[Writer]:
        """Be the only writer, with everything known that others wrote."""
        with self._turn, self._journal.writing() as writer:
            self._refresh()
            yield writer
            if self._ledger.lines > 2 * len(self._ledger) + slack:
                self._compact()

    def _write(self, writer: Writer, line: Line) -> None:
        if line.get("ids") != []:
            self._take(writer.append(line))

    def _change(self, what: str, ids: Sequence[str]) -> None:
        with self._writing() as writer:
            self._write(writer, _ids_line(what, ids))
            writer.sync()

    def _is_waiting(self, id: str) -> bool:
        entry = self.entry(id)
        return entry is not None and entry.state in WAITING

    def _refresh(self) -> None:
        """Take into account what others have written."""
        news = self._journal.read()
        self._heard += news.anew + len(news.lines)
        self._take(news)

    def _take(self, news: News) -> None:
        if news.anew:
            self._ledger = Ledger(self._set_aside)
            self._damaged.clear()
        for number, text in news.damaged:
            self._set_aside(number, text)
        for number, line in news.lines:
            if isinstance(line, Sealed):
                self._ledger.keep(line)
            elif not self._ledger.take(line):
                self._set_aside(number, format_line(line).rstrip())

    def _set_aside(self, number: int, text: bytes) -> None:
        self._damaged.append(text)
        where = f"{self._journal.path}:{number}"
        self._warn(f"{where}: the record is damaged, or of another version, and left aside")

    def _liveness(self) -> Callable[[str], bool]:
        """Asks of each orchestrator once."""
        known: dict[str, bool] = {}

        def is_alive(id: str) -> bool:
            if id not in known:
                known[id] = is_held(self._leases, id)
            return known[id]

        return is_alive


def _ids_line(what: str, ids: Sequence[str]) -> Line:
    return {"op": what, "ids": list(ids)}


def _name_in_use(name: str) -> RefConflict:
    return RefConflict(
        f"experiment '{name}' exists already, in the queue or as a result",
        hint="choose another name, or replace it with -f",
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
