"""One experiment from what was asked to its commit, in the user's workspace or in one of its own.

The straight line: name, parameter edits and plan are checked first, with nothing written. Then the
edits are made, added data is committed, outputs are checked out, the stages are brought up to date,
and the commit gets its ref, last.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun import events
from exprun.errors import ExperimentFailed
from exprun.executors.logs import name_logs
from exprun.git.conversion import Conversion
from exprun.git.experiment_refs import ExperimentRef
from exprun.git.experiments import check_name_is_free
from exprun.git.index_guard import IndexMark, undo_index_changes
from exprun.git.names import check_name, random_name
from exprun.model.experiment import ExperimentResult
from exprun.runner import threads
from exprun.runner.carrying_out import carry_out
from exprun.runner.data_stages import commit_data, ignore_data, recorded_outputs
from exprun.runner.editing import edit_params, parse_edits, require_unchanged
from exprun.runner.failures import FAULTS, failure_from
from exprun.runner.needs import require_fit
from exprun.runner.overlay import Overlay
from exprun.runner.planning import plan_stages
from exprun.runner.prepared import Prepared, check_out, concerned, require_commit, require_git
from exprun.runner.publishing import build_tree, files_to_add
from exprun.runner.queues import queue_at
from exprun.runner.recording import recorded
from exprun.runner.repro import workspace_site
from exprun.runner.sharing import open_sharing, share
from exprun.runner.writing import put_back, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun.git.experiments import Published
    from exprun.git.repository import Repository
    from exprun.model.experiment import ExperimentSpec
    from exprun.runner.guard import Guard
    from exprun.runner.opening import Opened
    from exprun.runner.recording import Recording
    from exprun.runner.session import Session
    from exprun.runner.sharing import Sharing
    from exprun.runner.site import Site


async def run_experiment(session: Session, spec: ExperimentSpec) -> ExperimentResult:
    """Run one experiment and store it under its ref.

    Raises UsageError, ProjectError and RefConflict before anything is changed, and ExperimentFailed
    if a stage fails; then there is no ref, and the logs are in ``session.log_dir``. Being cancelled
    stops the commands. In the workspace one runs after the other.
    """
    if spec.isolated:
        return await _run(session, spec)
    async with session.alone_in_workspace():
        return await _run(session, spec)


async def _run(session: Session, spec: ExperimentSpec) -> ExperimentResult:
    prepared = await threads.run_sync(prepare, session.opened, spec)
    require_fit(prepared.stages, session.limits, session.opened.files)
    sharing = await threads.run_sync(open_sharing, session.opened)
    await session.make_way()
    session.emit(
        events.ExperimentStarted(
            experiment=prepared.ref.name, baseline=prepared.ref.baseline, log_dir=session.log_dir
        )
    )
    if spec.isolated:
        from exprun.runner.isolation import run_isolated as run
    else:
        run = _run_in_workspace
    try:
        published = await run(session, prepared, sharing)
    except FAULTS as error:
        kept = error.kept if isinstance(error, ExperimentFailed) else None
        name, reason = prepared.ref.name, failure_from(error).message
        session.emit(events.ExperimentFinished(experiment=name, reason=reason, kept=kept))
        raise
    await threads.run_sync(name_logs, session.log_dir, prepared.ref.name)
    session.emit(
        events.ExperimentFinished(
            experiment=published.ref.name, rev=published.commit, isolated=spec.isolated
        )
    )
    return ExperimentResult(
        name=published.ref.name,
        baseline=published.ref.baseline,
        rev=published.commit,
        ref=str(published.ref),
        log_dir=session.log_dir,
    )


def prepare(opened: Opened, spec: ExperimentSpec) -> Prepared:
    """Check everything about an experiment that can be checked without changing anything."""
    require_git(opened)
    if spec.isolated:
        require_commit(spec)
    ref = _choose_ref(opened, spec)
    edits = edit_params(opened, spec, parse_edits(spec))
    project = opened.load(Overlay(opened.files, edits.contents) if edits.contents else None)
    stages = plan_stages(opened, project, spec.options)
    return Prepared(opened=opened, spec=spec, ref=ref, edits=edits, project=project, stages=stages)


def _choose_ref(opened: Opened, spec: ExperimentSpec) -> ExperimentRef:
    baseline = opened.repository.head().commit
    if spec.name is None:
        refs = opened.repository.refs
        name = random_name(lambda taken: refs.read(str(ExperimentRef(baseline, taken))) is not None)
        return ExperimentRef(baseline, name)
    ref = ExperimentRef(baseline, check_name(spec.name))
    _require_free_name(opened, spec, ref)
    return ref


def _require_free_name(opened: Opened, spec: ExperimentSpec, ref: ExperimentRef) -> None:
    """Refuse the name that is asked for if an experiment has it, or is about to."""
    if spec.name is not None and not spec.options.force:
        check_name_is_free(opened.repository, ref)
        queue_at(opened.place, opened.warn).check_name(ref.baseline, ref.name)


async def _run_in_workspace(
    session: Session, prepared: Prepared, sharing: Sharing | None
) -> Published:
    opened = session.opened
    guard = session.shared_guard()
    site = workspace_site(opened, prepared.project)
    try:
        with recorded(session, prepared) as begin:
            mark, recording = await threads.run_sync(
                _set_out, guard, site, prepared, opened.repository, begin
            )
            try:
                published = await carry_out(
                    session,
                    prepared,
                    site,
                    guard=guard,
                    worktree=opened.repository,
                    recording=recording,
                )
            finally:
                _undo_index_changes(opened, mark)
        await share(session, sharing, published, site)
        return published
    except BaseException:
        if site.git_ignores is not None:
            site.git_ignores.roll_back()
        raise
    finally:
        site.store.close()


def _undo_index_changes(opened: Opened, mark: IndexMark) -> None:
    """Take what the stages added out of the index. How the experiment has ended stands already."""
    try:
        undo_index_changes(opened.repository, mark.changes())
    except FAULTS as error:
        opened.warn(f"what the stages added to Git's index stays there: {error}")


def _set_out(
    guard: Guard,
    site: Site,
    prepared: Prepared,
    repository: Repository,
    begin: Callable[[str], Recording],
) -> tuple[IndexMark, Recording]:
    """Make the workspace what the experiment starts from, and `begin` with that tree; the index as
    it was, and the recording.

    If that fails the parameters are what they were.
    """
    with guard.working():
        # To get here may have taken a while.
        _require_free_name(prepared.opened, prepared.spec, prepared.ref)
        require_unchanged(prepared.opened, prepared.edits)
        mark = IndexMark(repository)
        try:
            return mark, begin(_start_from(site, prepared, repository))
        except BaseException:
            for location, base in prepared.edits.bases.items():
                with suppress(OSError):
                    put_back(site.path(location), base)
            raise


def _start_from(site: Site, prepared: Prepared, repository: Repository) -> str:
    stages = concerned(prepared)
    ignore_data(site, stages)
    conversion = Conversion(repository, has_attributes=False)
    for location, data in prepared.edits.contents.items():
        path = site.path(location)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # As DVC leaves them, which takes edits through the stash.
        replace_file(path, conversion.with_line_ends(repository.inside(path), data))
    for stage, entry in list(commit_data(site, stages)):
        site.records.record(stage, entry)
    site.records.flush()
    check_out(site, prepared, recorded_outputs(site, stages))
    added = [*prepared.edits.contents, *files_to_add(prepared.stages, prepared.project)]
    return build_tree(repository, site.root, added, target=repository)
