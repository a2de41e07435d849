"""Claiming experiments: at most one orchestrator at a time has one, for as long as it lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exprun.model.values import dataclass, replace
from exprun.queue.records import State

if TYPE_CHECKING:
    from typing import Self

    from exprun.model.job import FailureClass
    from exprun.queue.queue import Queue
    from exprun.queue.records import AttemptRecord, Entry


class Orchestrator:
    """One that runs experiments of a queue. What it claims is running until it closes or dies."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._lease = queue.lease()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop being one: attempts whose end was not told are interrupted."""
        self._lease.close()

    @property
    def id(self) -> str:
        """Its name in the records of its attempts."""
        return self._lease.id

    @property
    def is_draining(self) -> bool:
        """Whether somebody asked that nothing more be started."""
        return self._lease.is_draining

    def claim(self, id: str) -> Attempt | None:
        """Start an attempt of an experiment; None if it is held, ended, gone, or running."""
        started = self._queue.start(id, self._lease.id)
        if started is None:
            return None
        entry, record = started
        return Attempt(
            queue=self._queue,
            entry=entry,
            record=record,
            log_dir=self._queue.log_dir(record),
            copies_dir=self._queue.copies_dir(entry.batch),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One start of an experiment. Its `log_dir` does not exist yet.

    `copies_dir` holds the paths that were copied when it was queued, as they lay in the directory
    of the command. ``entry.attempts`` are the earlier attempts: one of those may have stored the
    experiment, and died before it could tell.
    """

    queue: Queue
    entry: Entry
    record: AttemptRecord
    log_dir: str
    copies_dir: str

    def succeed(self, rev: str) -> None:
        """Record that the experiment is stored as the commit `rev`, under its ref."""
        self._end(rev=rev)

    def fail(
        self,
        reason: FailureClass,
        message: str | None = None,
        *,
        exit_code: int | None = None,
        kept: str | None = None,
    ) -> None:
        """Record a failure; `kept` is a commit of what there was."""
        self._end(reason=reason.value, message=message, exit_code=exit_code, kept=kept)

    def interrupt(self, message: str | None = None, *, kept: str | None = None) -> None:
        """Record that the attempt was stopped, which puts the experiment back into the queue."""
        self._end(reason=State.INTERRUPTED.value, message=message, kept=kept)

    def take_back(self) -> None:
        """Have it that there was no attempt. Only before it has begun."""
        self.queue.take_back(self.entry.id)

    def _end(
        self,
        *,
        rev: str | None = None,
        reason: str | None = None,
        message: str | None = None,
        exit_code: int | None = None,
        kept: str | None = None,
    ) -> None:
        ended = replace(
            self.record,
            ended=round(time.time(), 3),
            rev=rev,
            reason=reason,
            message=message,
            exit_code=exit_code,
            kept=kept,
        )
        self.queue.end(self.entry.id, ended)
