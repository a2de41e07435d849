"""The stages of an experiment that is set out, and its commit: in whatever workspace."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

from exprun import events
from exprun.errors import ExperimentFailed, ExprunError
from exprun.runner import threads
from exprun.runner.failures import FAULTS
from exprun.runner.publishing import publish_experiment

if TYPE_CHECKING:
    from exprun.git.experiments import Published
    from exprun.git.repository import Repository
    from exprun.runner.guard import Guard
    from exprun.runner.prepared import Prepared
    from exprun.runner.recording import Recording
    from exprun.runner.session import Session
    from exprun.runner.site import Site


async def carry_out(
    session: Session,
    prepared: Prepared,
    site: Site,
    *,
    guard: Guard,
    worktree: Repository,
    recording: Recording,
) -> Published:
    """Run the stages and store the experiment, whose `recording` has begun.

    What is left of one that fails is kept. Raises as `run_experiment`.
    """
    reproduction = session.reproduction(
        prepared.stages,
        site,
        options=prepared.spec.options,
        guard=guard,
        experiment=(prepared.ref.name, prepared.ref.baseline),
        id=recording.id,
    )
    try:
        states = await session.drive(reproduction, beside=recording.watch)
        session.emit(events.ExperimentCommitting(experiment=prepared.ref.name))
        store = partial(publish_experiment, announce=recording.store)
        published = await threads.run_sync(
            store, session.opened, prepared, reproduction, states, worktree
        )
    except FAULTS as error:
        kept = await threads.run_sync(recording.fail, reproduction, error, worktree)
        _tell_what_is_kept(error, prepared.ref.name, kept)
        raise
    await threads.run_sync(recording.succeed)
    return published


def _tell_what_is_kept(error: ExprunError | OSError, name: str, kept: str | None) -> None:
    if kept and isinstance(error, ExprunError):
        word = shlex.quote(name)
        hint = f"what there was: exprun apply {word}; to run it again: exprun retry {word}"
        error.hint = "\n".join(filter(None, [error.hint, hint]))
    if isinstance(error, ExperimentFailed):
        error.kept = kept
