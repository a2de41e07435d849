"""The lines of the journal, added up: which experiments there are, in which order.

Lines either describe an experiment (``entry``) or say what became of some: ``remove``, ``hold``,
``release``, ``first`` and ``retry`` with their ``ids``, ``start``, ``store`` and ``end`` of an
attempt, ``stop`` for what is to be stopped. A line about an experiment that is not there says
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exprun.queue.journal import Sealed, parse_lines, seal
from exprun.queue.records import (
    AttemptRecord,
    Entry,
    State,
    are_ids,
    is_attempt,
    is_entry_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from exprun.queue.journal import Line

    Alive = Callable[[str], bool]

_Row = dict[str, Any]

_CHANGES = frozenset({"remove", "hold", "release", "first", "retry", "stop"})
_MAX_SUCCESSES = 10_000
_ENDED = ("ended", "rev", "reason", "message", "exit_code", "kept", "direct")


class Ledger:
    """The present state of a queue, as its lines have it.

    Experiments that have succeeded are kept apart: there may be many, and they need nothing more.
    Those that are sealed are opened when somebody looks at them; `on_damage` is told of one that
    makes no sense.
    """

    def __init__(self, on_damage: Callable[[int, bytes], None] = lambda number, text: None) -> None:
        self._rows: dict[str, _Row] = {}
        self._done: dict[str, _Row | Sealed] = {}
        self._on_damage = on_damage
        self._front: dict[str, None] = {}
        self._ids: dict[tuple[str, str], set[str]] | None = None
        self.lines = 0

    def keep(self, line: Sealed) -> None:
        """Take a sealed line into account."""
        self.lines += 1
        if line.id not in self:
            self._done[line.id] = line

    def take(self, line: Line) -> bool:
        """Take a line into account; False if it makes no sense."""
        self.lines += 1
        match line.get("op"):
            case "entry" if is_entry_line(line):
                self._add(line)
            case "start" | "store" | "end" as what if is_attempt(line.get("attempt")):
                self._attempt(what, str(line.get("id")), line["attempt"])
            case str() as what if what in _CHANGES and are_ids(line.get("ids")):
                self._change(what, line["ids"])
            case _:
                return False
        return True

    def __contains__(self, id: str) -> bool:
        return id in self._rows or id in self._done

    def __len__(self) -> int:
        return len(self._rows) + len(self._done)

    def ids_of(self, baseline: str, name: str) -> set[str]:
        """The experiments of a name that are still to be run, or have failed."""
        if self._ids is None:  # Who only reads has no need of it.
            self._ids = {}
            for row in self._rows.values():
                self._ids.setdefault((row["baseline"], row["name"]), set()).add(row["id"])
        return self._ids.get((baseline, name), set())

    @property
    def batches(self) -> set[str]:
        """The batches of which something is still to be run, or may be run again."""
        return {row["batch"] for row in self._rows.values()}

    @property
    def attempts(self) -> set[str]:
        """Every attempt of every experiment."""
        sealed = [one.attempts for one in self._done.values() if isinstance(one, Sealed)]
        opened = [row.get("attempts", ()) for row in (*self._rows.values(), *self._opened())]
        return {id for ids in (*sealed, *opened) for id in ids}

    def entry(self, id: str, is_alive: Alive) -> Entry | None:
        """One experiment; `is_alive` tells whether an orchestrator is."""
        if id in self._done:
            self._open([id])
        row = self._rows.get(id) or self._done.get(id)
        return _to_entry(row, is_alive) if isinstance(row, dict) else None

    def entries(self, is_alive: Alive) -> Iterator[Entry]:
        """All experiments: in the order in which they are to be run, then those that succeeded."""
        return (_to_entry(row, is_alive) for row in self._all())

    def rows(self, is_alive: Alive) -> Iterator[tuple[Mapping[str, Any], State]]:
        """The lines behind `entries`, and the state of each; not to be kept or changed."""
        return ((row, _state(row, is_alive)) for row in self._all())

    def unfinished(self, is_alive: Alive) -> Iterator[Entry]:
        """Those of `entries` that have not succeeded."""
        return (_to_entry(row, is_alive) for row in self._ordered())

    def compact(self) -> Iterator[Line | bytes]:
        """As few lines as say the same, with the oldest successes forgotten."""
        yield from self._ordered()
        for row in list(self._done.values())[-_MAX_SUCCESSES:]:
            if isinstance(row, Sealed):
                yield row.text
            else:
                yield seal(row | {"spec": {}}, row["id"], row.get("attempts", ()))

    def _all(self) -> Iterator[_Row]:
        yield from self._ordered()
        self._open(self._done)
        yield from self._opened()

    def _opened(self) -> Iterator[_Row]:
        return (row for row in self._done.values() if isinstance(row, dict))

    def _open(self, ids: Iterable[str]) -> None:
        """Open what is sealed of finished experiments."""
        sealed = [one for id in ids if isinstance(one := self._done[id], Sealed)]
        for one, row in zip(sealed, parse_lines([one.text for one in sealed]), strict=True):
            if row is not None and is_entry_line(row) and row["id"] == one.id:
                self._done[one.id] = row
            else:
                del self._done[one.id]
                self._on_damage(one.number, one.text)

    def _ordered(self) -> Iterator[_Row]:
        yield from (self._rows[id] for id in reversed(self._front))
        yield from (row for id, row in self._rows.items() if id not in self._front)

    def _add(self, row: _Row) -> None:
        id = row["id"]
        if id in self._rows or id in self._done:
            return
        self._rows[id] = row
        if self._ids is not None:
            self._ids.setdefault((row["baseline"], row["name"]), set()).add(id)
        if _has_succeeded(row.get("last")):
            self._finish(id)

    def _finish(self, id: str) -> None:
        self._done[id] = self._forget(id)

    def _forget(self, id: str) -> _Row:
        row = self._rows.pop(id)
        self._front.pop(id, None)
        if self._ids is not None:
            self._ids[row["baseline"], row["name"]].discard(id)
        return row

    def _attempt(self, what: str, id: str, attempt: Any) -> None:
        row = self._rows.get(id)
        if row is None:
            return
        if what == "start":
            row["last"] = attempt
            row["attempts"] = [*row.get("attempts", []), attempt["id"]]
        elif (last := row.get("last") or {}).get("id") == attempt["id"]:
            row["last"] = attempt | {"stop_wished": True} if last.get("stop_wished") else attempt
            if _has_succeeded(attempt):
                self._finish(id)

    def _change(self, what: str, ids: Any) -> None:
        for id in reversed(ids) if what == "first" else ids:
            if id in self._rows:
                self._change_one(what, id, self._rows[id])
            elif what == "remove":
                self._done.pop(id, None)

    def _change_one(self, what: str, id: str, row: _Row) -> None:
        match what:
            case "remove":
                self._forget(id)
            case "first":
                self._front.pop(id, None)
                self._front[id] = None
            case "retry":
                row["last"] = None
            case "stop":
                if row.get("last"):
                    row["last"] = row["last"] | {"stop_wished": True}
            case _:
                row["held"] = what == "hold"


def _has_succeeded(attempt: _Row | None) -> bool:
    """Whether an attempt has ended and tells of a result, not only of one about to be stored."""
    return bool(attempt and attempt.get("ended") is not None and attempt.get("rev"))


def _state(row: _Row, is_alive: Alive) -> State:
    last = row.get("last")
    if last:
        if last.get("ended") is None:
            if is_alive(last["orchestrator"]):
                return State.RUNNING
        elif last.get("rev"):
            return State.SUCCESS
        elif last.get("reason") != State.INTERRUPTED.value:
            return State.FAILED
    if row.get("held"):
        return State.HELD
    return State.INTERRUPTED if last else State.QUEUED


def _to_entry(row: _Row, is_alive: Alive) -> Entry:
    return Entry(
        id=row["id"],
        name=row["name"],
        baseline=row["baseline"],
        commit=row["commit"],
        batch=row["batch"],
        created=row["created"],
        state=_state(row, is_alive),
        held=row.get("held", False),
        attempts=tuple(row.get("attempts", ())),
        last=to_attempt(row["last"]) if row.get("last") else None,
        fields=row["spec"],
    )


def to_attempt(data: Mapping[str, Any]) -> AttemptRecord:
    """The value that `attempt_fields` made `data` of."""
    return AttemptRecord(
        id=data["id"],
        orchestrator=data["orchestrator"],
        started=data["started"],
        stop_wished=bool(data.get("stop_wished")),
        **{key: data[key] for key in _ENDED if key in data},
    )


def attempt_fields(attempt: AttemptRecord) -> dict[str, object]:
    """The JSON object for an attempt."""
    known: dict[str, object] = {
        "id": attempt.id, "orchestrator": attempt.orchestrator, "started": attempt.started,
    }  # fmt: skip
    known |= {key: value for key in _ENDED if (value := getattr(attempt, key)) not in (None, False)}
    return known
