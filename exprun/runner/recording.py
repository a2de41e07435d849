"""What is left of an experiment that was run directly and did not succeed.

It is put into the queue as one that failed there, so that it is listed, inspected, applied and run
again like those: from what the workspace held at the end, or, if it had a directory of its own,
from what it started from.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING

from exprun.git.held import hold, write_held_commit
from exprun.model.job import CancelReason, FailureClass
from exprun.model.values import replace
from exprun.queue.queue import Draft
from exprun.queue.records import AttemptRecord
from exprun.runner.failures import FAULTS, failure_from, failure_of_plan
from exprun.runner.keeping import keep_state
from exprun.runner.queueing import REFS, committer, copy_paths, open_queue, request_of

if TYPE_CHECKING:
    from exprun.errors import ExprunError
    from exprun.git.repository import Repository
    from exprun.queue.queue import Queue
    from exprun.runner.experiment import Prepared
    from exprun.runner.reproduction import Reproduction
    from exprun.runner.session import Session


def record_failure(
    session: Session,
    prepared: Prepared,
    reproduction: Reproduction,
    error: ExprunError | OSError,
    *,
    worktree: Repository,
    start: str | None,
    began: float,
) -> str | None:
    """Keep and record what is left of an experiment that `error` ended; the commit of it.

    `start` is the tree it started from in a directory of its own. None, and a warning, if nothing
    can be kept; None alone if somebody does not want to wait for it.
    """
    if session.cancelled is CancelReason.KILLED:
        return None
    try:
        queue = open_queue(session.opened)
        attempt = _attempt(session, reproduction, error, began)
        return _record(session, queue, prepared, reproduction, worktree, start, attempt)
    except FAULTS as fault:
        session.opened.warn(f"the state of the experiment is not kept: {fault}")
        return None


def _record(
    session: Session,
    queue: Queue,
    prepared: Prepared,
    reproduction: Reproduction,
    worktree: Repository,
    start: str | None,
    attempt: AttemptRecord,
) -> str:
    repository = session.opened.repository
    id = queue.new_id()
    left = keep_state(
        repository,
        reproduction,
        id=id,
        worktree=worktree,
        baseline=prepared.ref.baseline,
        message=f"exprun: experiment {prepared.ref.name}, unfinished",
    )
    spec = request_of(session.opened, prepared.spec, prepared.ref.name)
    with queue.lease() as lease:
        if start is None:
            spec = replace(spec, copy_paths=())
        copy_paths(session.opened, spec, queue.copies_dir(lease.id))
        commit = _hold(repository, prepared, start or left.tree, REFS + lease.id)
        draft = Draft(
            name=prepared.ref.name,
            baseline=prepared.ref.baseline,
            commit=commit,
            batch=lease.id,
            spec=spec,
        )
        attempt = replace(attempt, kept=left.commit)
        # Who stops what runs before his eyes does not want it to start again by itself.
        held = start is None and attempt.reason == FailureClass.INTERRUPTED.value
        queue.add_ended(id, draft, attempt, held=held)
    return left.commit


def _hold(repository: Repository, prepared: Prepared, tree: str, ref: str) -> str:
    who = committer(repository)
    parents = [prepared.ref.baseline]
    commit = write_held_commit(
        repository.objects, tree=tree, parents=parents, message="exprun: experiment", who=who
    )
    hold(repository, repository.objects, ref, [commit], who)
    return commit


def _attempt(
    session: Session, reproduction: Reproduction, error: ExprunError | OSError, began: float
) -> AttemptRecord:
    record = AttemptRecord(
        id=os.path.basename(session.log_dir),
        orchestrator=secrets.token_hex(8),
        started=round(began, 3),
        ended=round(time.time(), 3),
        reason=FailureClass.INTERRUPTED.value,
        direct=True,
    )
    if session.cancelled is not None:
        return record
    if reproduction.failures:
        kind, message, code = failure_of_plan(reproduction)
        return replace(record, reason=kind.value, message=message, exit_code=code)
    failure = failure_from(error)
    return replace(record, reason=failure.kind.value, message=failure.message)
