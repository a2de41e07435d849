"""How queued experiments end: each end is recorded in the queue, and then told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exprun import events
from exprun.runner import threads
from exprun.runner.driver import Closed
from exprun.runner.failures import FAULTS, failure_from
from exprun.runner.keeping import let_go_of_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun.errors import ExprunError
    from exprun.model.job import FailureClass
    from exprun.queue.attempts import Attempt
    from exprun.queue.queue import Queue
    from exprun.runner.session import Session


class Endings:
    """The ends of one run's experiments; `succeeded` and `failed` name those that have ended so.

    An end that cannot be recorded is told all the same, with a warning. Its experiment counts as
    interrupted once we are gone: what was stored is then found, and what was not is run again.
    """

    def __init__(self, session: Session, queue: Queue) -> None:
        self.succeeded: list[str] = []
        self.failed: list[str] = []
        self._session = session
        self._queue = queue

    def record_success(self, attempt: Attempt, commit: str) -> None:
        """Record that an experiment is stored; what earlier attempts have left goes only now."""
        self._record(attempt, partial(self._succeed, attempt, commit))

    def tell_success(self, attempt: Attempt, commit: str) -> Closed:
        """Tell of an experiment whose success is recorded."""
        self.succeeded.append(attempt.entry.name)
        return self._tell(attempt, rev=commit)

    async def tell_not_started(self, id: str, error: ExprunError | OSError) -> None:
        """Warn of an experiment that stays in the queue, as it cannot even be claimed."""
        name = await threads.run_sync(self._name_of, id)
        self.failed.append(name)
        message = failure_from(error).message
        self._session.opened.warn(f"experiment '{name}' is not started: {message}")

    async def fail(
        self,
        attempt: Attempt,
        kind: FailureClass,
        reason: str,
        code: int | None = None,
        *,
        kept: str | None = None,
    ) -> Closed:
        """Say why an experiment has failed; `kept` is a commit of what there was of it."""
        record = partial(attempt.fail, kind, reason, exit_code=code, kept=kept)
        await threads.run_sync(self._record, attempt, record)
        self.failed.append(attempt.entry.name)
        return self._tell(attempt, reason=reason, kept=kept)

    async def interrupt(self, attempt: Attempt, *, kept: str | None) -> Closed:
        """Put an experiment that was stopped back into the queue."""
        await threads.run_sync(self._record, attempt, partial(attempt.interrupt, kept=kept))
        return self._tell(attempt, reason=events.INTERRUPTED, kept=kept)

    async def take_back(self, attempt: Attempt) -> Closed:
        """Put an experiment back that was only made ready, as if it had not been claimed."""
        await threads.run_sync(self._record, attempt, attempt.take_back)
        return self._tell(attempt, reason=events.NOT_BEGUN)

    def give_back(self, attempt: Attempt) -> None:
        """Put an experiment back that could not even be looked at. Nobody is told of it."""
        self._record(attempt, attempt.interrupt)

    def _name_of(self, id: str) -> str:
        """What an experiment is called, or its id where the queue cannot be read."""
        try:
            entry = self._queue.entry(id)
        except FAULTS:
            entry = None
        return id if entry is None else entry.name

    def _succeed(self, attempt: Attempt, commit: str) -> None:
        attempt.succeed(commit)
        if attempt.entry.attempts:
            self._queue.sync()
            let_go_of_state(self._session.opened, attempt.entry.id)

    def _record(self, attempt: Attempt, record: Callable[[], None]) -> None:
        try:
            record()
        except FAULTS as error:
            self._session.opened.warn(
                f"how experiment '{attempt.entry.name}' ended is not recorded: {error}"
            )

    def _tell(
        self,
        attempt: Attempt,
        *,
        rev: str | None = None,
        reason: str | None = None,
        kept: str | None = None,
    ) -> Closed:
        self._session.emit(
            events.ExperimentFinished(
                experiment=attempt.entry.name, rev=rev, reason=reason, kept=kept, isolated=True
            )
        )
        return Closed(rev is not None, rev, reason)
