"""Experiments without a result: those that are queued, run, have failed or were stopped."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from exprun.errors import GitError, UsageError
from exprun.queue.records import State as Standing
from exprun.results.state import WORKSPACE, Executor, Failure, LocalExecutor, Range, State, bare
from exprun.runner.announcing import list_announced
from exprun.runner.queues import open_queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.queue.records import Entry
    from exprun.results.history import History
    from exprun.results.remembered import Recollection
    from exprun.results.table import Results
    from exprun.runner.announcing import Announcement
    from exprun.runner.opening import Opened

QUEUED, RUNNING, INTERRUPTED, FAILED = "queued", "running", "interrupted", "failed"
_ORDER = (RUNNING, QUEUED, INTERRUPTED, FAILED)
_EXECUTOR = "exprun"


class UnfinishedExperiments:
    """What a project's queue, and those at work in it, tell; see `exprun.results.state`."""

    def __init__(self, opened: Opened, results: Results, *, hidden: frozenset[str]) -> None:
        self._opened = opened
        self._results = results
        self._hidden = hidden

    def ranges(self, baseline: str, known: Recollection) -> Iterator[Range]:
        """Running ones first, then queued, then those that ended; in each group the newest."""
        entries = [entry for entry in self._entries if entry.baseline == baseline]
        entries.sort(key=lambda entry: (_ORDER.index(standing(entry)), -entry.created))
        for entry in entries:
            if standing(entry) not in self._hidden:
                yield self._range(entry, known)

    @cached_property
    def _entries(self) -> list[Entry]:
        return open_queue(self._opened).unfinished()

    @cached_property
    def _running(self) -> dict[str, Announcement]:
        return {one.id: one for one in list_announced(self._opened.place)}

    def _announcement(self, entry: Entry) -> Announcement | None:
        in_workspace = self._running.get("")
        if in_workspace and (in_workspace.name, in_workspace.baseline) == (
            entry.name,
            entry.baseline,
        ):
            return in_workspace
        return self._running.get(entry.id)

    def _at_work(self, running: Announcement) -> Range:
        if running.location == WORKSPACE:
            state = self._results.workspace()
        else:
            state = self._results.elsewhere(running.root)
        state["rev"], state["name"] = running.rev, running.name
        local = _local(root=running.root, log=running.log_dir, pid=running.pid)
        executor = Executor(state=RUNNING, name=running.location, local=local)
        return Range(revs=[state], executor=executor, name=running.name)

    def _range(self, entry: Entry, known: Recollection) -> Range:
        now = standing(entry)
        if now == RUNNING and (running := self._announcement(entry)):
            return self._at_work(running)
        state = self._state(commit_of(entry), known)
        state["name"] = entry.name
        has_ended = now in (INTERRUPTED, FAILED)
        last = entry.last
        if state["data"] and not (last and last.kept):
            # The metrics of what it starts from are not its own.
            state["data"] = state["data"] | {"metrics": {}}
        if has_ended and last:
            message = last.message or "the experiment was interrupted"
            state["error"] = Failure(msg=message, type=entry.reason or "")
        local = _local(
            log=open_queue(self._opened).log_dir(last) if last else None,
            returncode=last.exit_code if last else None,
            task_id=entry.id,
        )
        name = None if has_ended else _EXECUTOR
        executor = Executor(state=now, name=name, local=local)
        return Range(revs=[state], executor=executor, name=entry.name)

    def _state(self, rev: str, known: Recollection) -> State:
        try:
            return self._results.commit(rev, known)
        except GitError as error:
            return bare(rev, error=Failure(msg=str(error), type="GitError"))


def standing(entry: Entry) -> str:
    """Where an experiment without a result stands, as ``show`` has it."""
    match entry.state:
        case Standing.RUNNING:
            return RUNNING
        case Standing.FAILED:
            return FAILED
        case _:
            return INTERRUPTED if entry.last else QUEUED


def commit_of(entry: Entry) -> str:
    """What there was when an experiment ended; else what it starts from."""
    return (entry.last and entry.last.kept) or entry.commit


def resolve(opened: Opened, history: History, revision: str) -> str:
    """As ``history.resolve``, with the names and ids of experiments without a result, too."""
    try:
        return history.resolve(revision, others=_names(opened))
    except UsageError:
        found = find_unfinished(opened, revision, head=history.head.commit)
        if found is None:
            raise
        return commit_of(found)


def _names(opened: Opened) -> Iterator[str]:
    for entry in open_queue(opened).unfinished():
        yield entry.name


def find_unfinished(opened: Opened, name: str, *, head: str) -> Entry | None:
    """The experiment of that name or id, of several HEAD's or else the last; None for no other."""
    named = [e for e in open_queue(opened).unfinished() if name in (e.name, e.id)]
    own = [entry for entry in named if entry.baseline == head]
    return next(reversed(own or named), None)


def _local(
    *,
    root: str | None = None,
    log: str | None = None,
    pid: int | None = None,
    returncode: int | None = None,
    task_id: str | None = None,
) -> LocalExecutor:
    return LocalExecutor(root=root, log=log, pid=pid, returncode=returncode, task_id=task_id)
