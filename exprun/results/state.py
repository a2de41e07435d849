"""What is known about a commit or the workspace, in the very schema of ``dvc exp show --json``."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

WORKSPACE = "workspace"


class Failure(TypedDict):
    """Why something could not be read; `type` is the name DVC's exception would have."""

    msg: str
    type: str


class FileValues(TypedDict, total=False):
    """What a params or metrics file holds, or why that is not known."""

    data: object
    error: Failure


class Recorded(TypedDict):
    """A dependency as dvc.lock or a .dvc file records it."""

    hash: str | None
    size: int | None
    nfiles: int | None


class RecordedOut(Recorded):
    """An output as recorded."""

    use_cache: bool
    is_data_source: bool


class Data(TypedDict):
    """A commit or the workspace, read. `timestamp` is local time in ISO 8601."""

    rev: str
    timestamp: str | None
    params: dict[str, FileValues]
    metrics: dict[str, FileValues]
    deps: dict[str, Recorded]
    outs: dict[str, RecordedOut]
    meta: dict[str, object]


class LocalExecutor(TypedDict):
    """Where an experiment runs or ran."""

    root: str | None
    log: str | None
    pid: int | None
    returncode: int | None
    task_id: str | None


class Executor(TypedDict):
    """How an experiment fares: ``running``, ``queued``, ``failed``, ``success``, …"""

    state: str
    name: str | None
    local: LocalExecutor | None


class Range(TypedDict):
    """One experiment: its commits, tip first, and what runs or ran it."""

    revs: list[State]
    executor: Executor | None
    name: str | None


class State(TypedDict):
    """A row of the table. `name` is a branch, a tag, or the experiment's name."""

    rev: str
    name: str | None
    data: Data | None
    error: Failure | None
    experiments: list[Range] | None


def timestamp(seconds: int) -> str:
    """A commit's time as DVC shows it."""
    return datetime.fromtimestamp(seconds).isoformat()


def bare(rev: str, *, data: Data | None = None, error: Failure | None = None) -> State:
    """A state without name and experiments."""
    return State(rev=rev, name=None, data=data, error=error, experiments=None)
