"""What is known of an experiment that is run directly until it has succeeded: a place in the queue.

It is there from before the first stage runs, held by a lease as those of the queue are. So whatever
becomes of it and of us, it is listed, inspected, applied and run again like those, from what it
started from.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio

from exprun.errors import RefConflict
from exprun.git.held import hold, objects_of, write_held_commit
from exprun.git.identity import committer
from exprun.git.refs import RefEdit
from exprun.model.job import CancelReason, FailureClass
from exprun.model.values import replace
from exprun.queue.leftovers import remove_tree
from exprun.queue.queue import Draft
from exprun.queue.records import AttemptRecord
from exprun.runner import threads
from exprun.runner.failures import FAULTS, failure_from, failure_of_plan
from exprun.runner.keeping import keep_state
from exprun.runner.queueing import copy_paths, request_of
from exprun.runner.queues import open_queue, queue_refs, tidy_queue
from exprun.runner.watching import was_stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exprun.errors import ExprunError
    from exprun.git.repository import Repository
    from exprun.queue.queue import Queue
    from exprun.runner.prepared import Prepared
    from exprun.runner.reproduction import Reproduction
    from exprun.runner.session import Session
    from exprun.scheduler.vocabulary import Stimulus

_POLL_S = 0.5


@contextmanager
def recorded(session: Session, prepared: Prepared) -> Iterator[Callable[[str], Recording]]:
    """Gives what begins the recording of an experiment that starts from a tree: it is in the queue
    then, as running for the length of the block and interrupted from then on, unless the recording
    was told how it ended.

    To begin raises RefConflict if the name is in use.
    """
    queue = open_queue(session.opened)
    with queue.lease() as lease:
        yield partial(_begin, session, prepared, queue, lease.id)


def _begin(session: Session, prepared: Prepared, queue: Queue, lease: str, tree: str) -> Recording:
    opened, ref, asked = session.opened, prepared.ref, prepared.spec
    spec = request_of(opened, asked, ref.name)
    if asked.isolated:
        copy_paths(opened, spec, queue.copies_dir(lease))
    else:
        spec = replace(spec, copy_paths=())
    commit = _hold(opened.repository, queue_refs(opened) + lease, ref.baseline, tree)
    draft = Draft(name=ref.name, baseline=ref.baseline, commit=commit, batch=lease, spec=spec)
    attempt = AttemptRecord(
        id=os.path.basename(session.log_dir),
        orchestrator=lease,
        started=round(time.time(), 3),
        direct=True,
    )
    before = queue.batches()
    id = queue.begin(draft, attempt, force=asked.options.force)
    return Recording(
        session,
        queue,
        draft,
        attempt,
        id=id,
        is_isolated=asked.isolated,
        leaves_refs=not before <= queue.batches(),
    )


def _hold(repository: Repository, ref: str, baseline: str, tree: str) -> str:
    who = committer(repository)
    commit = write_held_commit(
        repository.objects, tree=tree, parents=[baseline], message="exprun: experiment", who=who
    )
    owed = objects_of(repository, baseline, commit)
    hold(repository, repository.objects, ref, [commit], who, owed=owed)
    return commit


class Recording:
    """An experiment that is run directly, whose draft is in the queue by `id`.

    What others of its name left there has made way for it; there are still refs of that, if it
    `leaves_refs`.
    """

    def __init__(
        self,
        session: Session,
        queue: Queue,
        draft: Draft,
        attempt: AttemptRecord,
        *,
        id: str,
        is_isolated: bool,
        leaves_refs: bool,
    ) -> None:
        self.id = id
        self._session = session
        self._queue = queue
        self._draft = draft
        self._attempt = attempt
        self._is_isolated = is_isolated
        self._leaves_refs = leaves_refs

    async def watch(self, _: Callable[[Stimulus], None]) -> None:
        """Cancel the session when somebody asks the queue to stop the experiment."""
        known = None
        while True:
            await anyio.sleep(_POLL_S)
            # For want of descriptors, say. What others want is seen the next time.
            with suppress(*FAULTS):
                if (stamp := self._queue.stamp()) == known:
                    continue
                entry = await threads.run_sync(self._queue.entry, self.id)
                known = stamp
                if entry is not None and was_stopped(entry):
                    self._session.cancel(CancelReason.REQUESTED)

    def store(self, commit: str) -> None:
        """Tell that `commit` is about to get the experiment's ref."""
        self._queue.store(self.id, replace(self._attempt, rev=commit))

    def succeed(self) -> None:
        """Forget the experiment here: it has its ref."""
        batch = self._draft.batch
        try:
            self._queue.discard(self.id)
            remove_tree(self._queue.copies_dir(batch))
            # Otherwise it is let go when the queue is tidied.
            with suppress(RefConflict):
                held = queue_refs(self._session.opened) + batch
                refs = self._session.opened.repository.refs
                refs.change([RefEdit(held, self._draft.commit, None)])
            if self._leaves_refs:
                tidy_queue(self._session.opened, self._queue)
        except FAULTS as fault:
            # What runs the queue will find that it is stored.
            self._session.opened.warn(f"the experiment stays in the queue: {fault}")

    def fail(
        self, reproduction: Reproduction, error: ExprunError | OSError, worktree: Repository
    ) -> str | None:
        """Record how the experiment ended, and keep what is left of it; the commit of that.

        None, and a warning, if it cannot be kept; None alone if somebody does not want to wait.
        """
        attempt = self._ended(reproduction, error)
        # Who stops what runs before his eyes does not want it to start again by itself.
        held = not self._is_isolated and attempt.reason == FailureClass.INTERRUPTED.value
        kept = None
        if self._session.cancelled is not CancelReason.KILLED:
            kept = keep_state(self._session.opened, reproduction, worktree)
        try:
            self._queue.end(self.id, replace(attempt, kept=kept), held=held)
        except FAULTS as fault:
            self._session.opened.warn(f"how the experiment ended is not recorded: {fault}")
        return kept

    def _ended(self, reproduction: Reproduction, error: ExprunError | OSError) -> AttemptRecord:
        attempt = replace(self._attempt, ended=round(time.time(), 3))
        if self._session.cancelled is not None:
            return replace(attempt, reason=FailureClass.INTERRUPTED.value)
        if reproduction.failures:
            kind, message, code = failure_of_plan(reproduction.failures, reproduction.address)
            return replace(attempt, reason=kind.value, message=message, exit_code=code)
        failure = failure_from(error)
        return replace(attempt, reason=failure.kind.value, message=failure.message)
