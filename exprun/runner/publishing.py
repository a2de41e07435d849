"""From a workspace whose stages are up to date to the experiment's commit and ref."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import ExperimentFailed, IndexConflict, RefConflict
from exprun.git.experiments import default_message, publish, write_commit
from exprun.git.held import stored
from exprun.git.identity import signatures
from exprun.git.snapshot import take_snapshot
from exprun.lockfile.keys import experiment_hash
from exprun.model.paths import is_outside
from exprun.pipeline.spelling import lock_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exprun.git.experiment_refs import ExperimentRef
    from exprun.git.experiments import Published
    from exprun.git.repository import Repository
    from exprun.model.lock import Content, LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.opening import Opened
    from exprun.runner.prepared import Prepared
    from exprun.runner.project import Project
    from exprun.runner.reproduction import Reproduction
    from exprun.scheduler.vocabulary import StageState


def files_to_add(processed: Iterable[Stage], project: Project) -> Iterator[Location]:
    """What the commit holds besides tracked files: what the processed stages and the top level
    name, unless it is data of DVC's.
    """
    cached = {out.location for stage in project.stages for out in stage.outs if out.cache}
    for stage in processed:
        yield stage.file
        if stage.is_pipeline_stage:
            yield lock_of(stage.file)
        read = [dep.location for dep in stage.deps] + [file.location for file in stage.params]
        yield from (location for location in read if not _is_data(location, cached))
        for out in stage.outs:
            if not out.cache:
                yield out.location
    for pipeline in project.pipelines.values():
        yield from (*pipeline.metrics, *pipeline.params, *pipeline.plots)


def _is_data(location: Location, cached: set[Location]) -> bool:
    """Whether DVC keeps what is at `location`: an output or something inside one."""
    if location in cached:
        return True
    at = location.rfind("/")
    while at > 0:
        if location[:at] in cached:
            return True
        at = location.rfind("/", 0, at)
    return False


def build_tree(
    repository: Repository,
    root: str,
    locations: Iterable[Location],
    *,
    extra: Iterable[str] = (),
    target: Repository,
) -> str:
    """The tree of a worktree with these locations of the project at `root` added to it.

    `extra` are absolute paths to add. The objects are stored in `target`.
    """
    inside = (location for location in dict.fromkeys(locations) if not is_outside(location))
    added = [*(f"{root}/{location}" for location in inside), *extra]
    paths = dict.fromkeys(map(repository.inside, added))
    return take_snapshot(repository, include=paths, objects=target.objects)


def commit_experiment(
    repository: Repository,
    ref: ExperimentRef,
    *,
    tree: str,
    entries: Mapping[str, LockedStage],
    message: str | None,
    trailer: str | None = None,
) -> str:
    """Write the commit of an experiment, which nothing holds yet."""
    author, committer = signatures(repository.env, repository.config)
    text = message or default_message(experiment_hash(entries))
    return write_commit(
        repository,
        tree=tree,
        parent=ref.baseline,
        message=f"{text}\n\n{trailer}" if trailer else text,
        author=author,
        committer=committer,
    )


def entries_by_name(
    stages: Sequence[Stage], entries: Mapping[int, LockedStage]
) -> dict[str, LockedStage]:
    """What was reproduced, as the experiment's hash wants it: pipeline stages by bare name."""
    return {
        name: entry
        for index, entry in sorted(entries.items())
        if (name := stages[index].name) is not None
    }


def _cached_contents(reproduction: Reproduction) -> Iterator[Content]:
    """What the experiment's outputs hold that must be in the cache."""
    for index, entry in reproduction.entries.items():
        cached = {out.path for out in reproduction.stages[index].outs if out.cache}
        for out in entry.outs:
            if out.content is not None and out.path in cached:
                yield out.content


def publish_experiment(
    opened: Opened,
    prepared: Prepared,
    reproduction: Reproduction,
    states: Sequence[StageState],
    repository: Repository,
    *,
    announce: Callable[[str], None],
) -> Published:
    """Commit what is in `repository`'s worktree to the user's repository, under the ref.

    `announce` is called with the commit before the ref is written. Raises ExperimentFailed if the
    name has been taken meanwhile, or a merge was begun.
    """

    def write() -> str:
        commit = write_experiment(opened, prepared, reproduction, states, repository)
        announce(commit)
        return commit

    try:
        return publish_commit(opened, prepared, reproduction, write)
    # The stages have run, so it is too late to refuse.
    except RefConflict as taken:
        is_there = opened.repository.refs.read(str(prepared.ref)) is not None
        hint = "first rename or remove the other one" if is_there else taken.hint
        raise ExperimentFailed(taken.message, hint=hint) from taken
    except IndexConflict as unmerged:
        raise ExperimentFailed(unmerged.message, hint=unmerged.hint) from unmerged


def publish_commit(
    opened: Opened, prepared: Prepared, reproduction: Reproduction, write: Callable[[], str]
) -> Published:
    """Make all that the commit which `write` makes tells of durable, then create the ref.

    Commits written by then are made durable together, so several are best written before the first
    is published. What Git prunes meanwhile is written once more. Raises RefConflict.
    """

    def store() -> Published:
        commit = write()
        if prepared.spec.options.commit:
            reproduction.site.store.sync(_cached_contents(reproduction))
        replace = prepared.spec.options.force
        return publish(opened.repository, prepared.ref, commit, replace=replace)

    return stored(store)


def write_experiment(
    opened: Opened,
    prepared: Prepared,
    reproduction: Reproduction,
    states: Sequence[StageState],
    repository: Repository,
    trailer: str | None = None,
) -> str:
    """The commit of what is in `repository`'s worktree, in the user's repository.

    `trailer` is a line to end the message with.
    """
    site = reproduction.site
    finished = prepared.opened.load()
    locations = [
        *prepared.edits.contents,
        *files_to_add(reproduction.processed(states), finished),
    ]
    extra = site.git_ignores.files if opened.config.core.autostage and site.git_ignores else ()
    tree = build_tree(repository, site.root, locations, extra=extra, target=opened.repository)
    return commit_experiment(
        opened.repository,
        prepared.ref,
        tree=tree,
        entries=entries_by_name(prepared.stages, reproduction.entries),
        message=prepared.spec.message,
        trailer=trailer,
    )
