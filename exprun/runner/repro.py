"""``exprun repro``: bring the user's workspace up to date, without an experiment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exprun.errors import NotAProject
from exprun.model.values import dataclass
from exprun.runner import threads
from exprun.runner.gitignores import GitIgnores
from exprun.runner.needs import require_fit
from exprun.runner.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.git.repository import Repository
    from exprun.model.experiment import ReproOptions
    from exprun.model.lock import LockedStage
    from exprun.model.stage import Stage
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project
    from exprun.runner.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """What was brought up to date, and the files that Git may want to know of (absolute)."""

    stages: Sequence[Stage]
    entries: dict[int, LockedStage]
    written: Sequence[str]


async def reproduce(
    session: Session, project: Project, stages: Sequence[Stage], options: ReproOptions
) -> Reproduced:
    """Bring planned stages up to date in the user's workspace.

    Raises UsageError and LockfileError before anything is changed, and ExperimentFailed if a stage
    fails: then the .gitignore lines added are taken back. Being cancelled stops the commands.
    """
    opened = session.opened
    require_fit(stages, session.limits, opened.files)
    await session.make_way()
    site = workspace_site(opened, project)
    guard = session.shared_guard()
    await guard.work(partial(_require_sound_locks, site, stages))
    reproduction = session.reproduction(stages, site, options=options, guard=guard)
    try:
        await session.drive(reproduction)
    except BaseException:
        if site.git_ignores is not None:
            site.git_ignores.roll_back()
        raise
    finally:
        site.store.close()
    written = [site.path(file) for file in reproduction.written]
    written += site.git_ignores.files if site.git_ignores else []
    written = list(dict.fromkeys(written))
    if written and opened.config.core.autostage and site.git_ignores is not None:
        await threads.run_sync(_stage_in_git, opened.repository, written)
    return Reproduced(stages=stages, entries=reproduction.entries, written=written)


def _require_sound_locks(site: Site, stages: Sequence[Stage]) -> None:
    for stage in stages:
        site.records.entry(stage)


def _stage_in_git(repository: Repository, files: Sequence[str]) -> None:
    """``core.autostage``: the one time that the user asks for the index to be written."""
    from exprun.git.command import run_git

    run_git(repository.workdir, repository.env, ["add", "--", *files])


def workspace_site(opened: Opened, project: Project, *, disposable: bool = False) -> Site:
    """A workspace as a place to run in; without Git, nothing is kept out of it."""
    seen = opened.site(project, disposable=disposable)
    try:
        repository = None if opened.config.core.no_scm else opened.repository
    except NotAProject:
        repository = None
    return Site(
        root=seen.root,
        project=seen.project,
        store=seen.store,
        probe=seen.probe,
        records=seen.records,
        git_ignores=GitIgnores(repository, seen.root) if repository else None,
        warn=seen.warn,
    )
