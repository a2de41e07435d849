"""What is known about a queued experiment, and its state, which follows from that."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from exprun.model.patterns import pattern
from exprun.model.values import dataclass
from exprun.queue import specs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.experiment import ExperimentSpec
    from exprun.queue.journal import Line

_ID = pattern(r"[0-9a-f]{8,40}")
_SHA = pattern(r"[0-9a-f]{40}")
_HASHES = pattern(rf"{_ID.pattern} {_ID.pattern} {_SHA.pattern} {_SHA.pattern}")
_LONGEST_NAME = 200
_TEXT = (str, type(None))
_COUNT = (int, type(None))


class State(StrEnum):
    """Where an experiment stands, as spelled in JSON output."""

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SUCCESS = "success"


STARTABLE = frozenset({State.QUEUED, State.INTERRUPTED})
"""The states of what is run as soon as there is room."""

WAITING = STARTABLE | {State.HELD}
"""The states of what has not ended and does not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One start of an experiment. While `ended` is None it runs, or its orchestrator died.

    `reason` is a `FailureClass` as spelled, `rev` the experiment's commit, `kept` a commit of what
    there was when it failed or was stopped. `stop_wished` is whether somebody asked for that. A
    `direct` one was not started from the queue.
    """

    id: str
    orchestrator: str
    started: float
    ended: float | None = None
    rev: str | None = None
    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None
    kept: str | None = None
    stop_wished: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A queued experiment.

    `commit` is what it starts from: the workspace as it was, with parameters edited and data files
    updated, on top of `baseline`. `batch` names the ref and the copied files that it shares with
    the experiments queued by the same command. `attempts` are the ids of all attempts.
    """

    id: str
    name: str
    baseline: str
    commit: str
    batch: str
    created: float
    state: State
    held: bool
    attempts: tuple[str, ...]
    last: AttemptRecord | None
    fields: Mapping[str, Any]

    @property
    def spec(self) -> ExperimentSpec:
        """The request. Its parameters are in `commit` already and are not to be set again."""
        return specs.from_fields(self.fields)

    @property
    def reason(self) -> str | None:
        """Why it failed or was interrupted, as a `FailureClass` is spelled."""
        return reason_of(self.state, self.last)


def reason_of(state: State, last: AttemptRecord | None) -> str | None:
    """See `Entry.reason`."""
    if last and state in (State.FAILED, State.INTERRUPTED, State.HELD):
        return last.reason or State.INTERRUPTED.value
    return None


def entry_line(
    *,
    id: str,
    name: str,
    baseline: str,
    commit: str,
    batch: str,
    created: float,
    spec: Mapping[str, object],
    **more: object,
) -> Line:
    """The record of a new experiment."""
    return {
        "op": "entry", "id": id, "name": name, "baseline": baseline, "commit": commit,
        "batch": batch, "created": created, "spec": spec, **more,
    }  # fmt: skip


def is_entry_line(line: Line) -> bool:
    """Whether a record of an experiment holds what one must, each thing of its kind."""
    name = line.get("name")
    try:
        # In one go: of a queue's records there may be many thousands.
        hashes = " ".join((line["id"], line["batch"], line["baseline"], line["commit"]))  # type: ignore[arg-type]
    except (KeyError, TypeError):
        return False
    return (
        _HASHES.fullmatch(hashes) is not None
        and isinstance(name, str)
        and 0 < len(name) <= _LONGEST_NAME
        and "/" not in name
        and name.isprintable()
        and _is_time(line.get("created"))
        and specs.is_spec(line.get("spec"))
        and ("held" not in line or isinstance(line["held"], bool))
        and ("attempts" not in line or are_ids(line["attempts"]))
        and (line.get("last") is None or is_attempt(line["last"]))
    )


def is_attempt(value: object) -> bool:
    """Whether the record of an attempt holds what it must."""
    return (
        isinstance(value, dict)
        and _is_id(value.get("id"))
        and _is_id(value.get("orchestrator"))
        and _is_time(value.get("started"))
        and (value.get("ended") is None or _is_time(value["ended"]))
        and _may_be_sha(value.get("rev"))
        and _may_be_sha(value.get("kept"))
        and isinstance(value.get("reason", ""), _TEXT)
        and isinstance(value.get("message", ""), _TEXT)
        and isinstance(value.get("exit_code", 0), _COUNT)
        and isinstance(value.get("direct", False), bool)
    )


def are_ids(value: object) -> bool:
    """Whether `value` is a list of ids."""
    return isinstance(value, list) and all(map(_is_id, value))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _may_be_sha(value: object) -> bool:
    return value is None or (isinstance(value, str) and _SHA.fullmatch(value) is not None)


def _is_time(value: object) -> bool:
    return type(value) is float or type(value) is int  # A bool is no number.
