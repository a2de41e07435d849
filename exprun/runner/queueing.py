"""Queueing experiments: the workspace as it is now becomes commits, and those become records.

Nothing of the user's is written. What an experiment starts from (tracked files, parameters edited,
.dvc files up to date) is a commit on top of the baseline, held by ``refs/exprun/queue/<batch>``;
paths of ``-C`` are copied to a private directory. For a sweep all this is done once, and each of
its experiments only has other contents for a few paths.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from exprun.errors import ExprunError, UsageError
from exprun.git.experiment_refs import list_experiments
from exprun.git.held import hold, stored, write_held_commit
from exprun.git.identity import committer
from exprun.git.names import check_name, random_name
from exprun.git.packing import PackWriter
from exprun.git.snapshot import Snapshot
from exprun.model.paths import ROOT, is_outside, join
from exprun.model.values import dataclass, replace
from exprun.params.overrides import DEFAULT_FILE
from exprun.params.sweeps import expand, is_sweep, names
from exprun.pipeline.datafile import update_data_file
from exprun.project.locks import Patience
from exprun.queue.leftovers import remove_tree
from exprun.queue.queue import Draft, Names, Queue
from exprun.runner.data_stages import commit_data, concerned_stages
from exprun.runner.editing import edit_params, parse_edits
from exprun.runner.guard import repo_lock
from exprun.runner.left_behind import warn_of_left_behind
from exprun.runner.needs import require_fit
from exprun.runner.overlay import Overlay
from exprun.runner.prepared import require_commit, require_git
from exprun.runner.queues import open_queue, queue_refs
from exprun.store.durability import sync_files
from exprun.workspaces.copying import copy_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from exprun.git.objects import ObjectStore
    from exprun.git.repository import Repository
    from exprun.model.experiment import ExperimentSpec
    from exprun.model.paths import Location
    from exprun.params.overrides import Override
    from exprun.queue.records import Entry
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project
    from exprun.scheduler.budget import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """An experiment that was queued, with its overrides by file as it is to be told to people."""

    entry: Entry
    overrides: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One experiment of what was asked for."""

    name: str | None
    overrides: Mapping[str, tuple[Override, ...]]

    @property
    def texts(self) -> dict[str, list[str]]:
        return {file: [one.text for one in each] for file, each in self.overrides.items()}

    def spec(self, spec: ExperimentSpec) -> ExperimentSpec:
        texts = [
            text if file == DEFAULT_FILE else f"{file}:{text}"
            for file, each in self.texts.items()
            for text in each
        ]
        return replace(spec, name=self.name, set_params=tuple(texts), params=(), isolated=True)


def request_of(opened: Opened, spec: ExperimentSpec, name: str) -> ExperimentSpec:
    """The request for one experiment as the queue keeps it. Raises UsageError for a sweep."""
    [request] = _requests(opened, replace(spec, name=name))
    kept = request.spec(spec)
    return replace(kept, options=replace(kept.options, interactive=False, commit=True))


def queue_experiments(
    opened: Opened,
    spec: ExperimentSpec,
    *,
    queue: Queue | None = None,
    limits: Limits | None = None,
    give_up: Callable[[], bool] | None = None,
) -> Iterator[Queued]:
    """Queue the experiment, or all experiments of the sweep, that `spec` asks for.

    Each is in the queue, safe from a kill, when it is yielded; when the iterator has ended all are
    durable. `queue` is the project's, if it is open. `give_up` is asked while another process works
    in the project. Raises UsageError, also if a stage could never run within `limits`,
    ProjectError, GitError or RefConflict, and then nothing was queued.
    """
    require_git(opened)
    if spec.options.interactive:
        raise UsageError("a queued experiment cannot ask anything", hint="leave out -i")
    require_commit(spec)
    requests = _requests(opened, spec)
    queue = queue or open_queue(opened)
    with queue.lease() as lease:
        try:
            store = partial(_store, opened, spec, requests, queue, lease.id, limits, give_up)
            drafts, taken = stored(store)
            entries = queue.add(drafts, taken, force=spec.options.force)
            for entry, request in zip(entries, requests, strict=True):
                yield Queued(entry=entry, overrides=request.texts)
        except ExprunError:
            remove_tree(queue.copies_dir(lease.id))
            raise


def _requests(opened: Opened, spec: ExperimentSpec) -> list[_Request]:
    """The experiments that were asked for, with checked names."""
    overrides: dict[str, tuple[Override, ...]] = parse_edits(spec)
    if opened.config.hydra.enabled and spec.hydra:
        overrides.setdefault(DEFAULT_FILE, ())
    if not is_sweep(overrides):
        return [_Request(name=spec.name and check_name(spec.name), overrides=overrides)]
    each = list(expand(overrides))
    if spec.name is None:
        return [_Request(name=None, overrides=one) for one in each]
    named = map(check_name, names(spec.name, len(each)))
    return [_Request(name=name, overrides=one) for name, one in zip(named, each, strict=True)]


def _store(
    opened: Opened,
    spec: ExperimentSpec,
    requests: Sequence[_Request],
    queue: Queue,
    batch: str,
    limits: Limits | None,
    give_up: Callable[[], bool] | None,
) -> tuple[list[Draft], Names]:
    """Make all that the experiments need durable, short of telling the queue."""
    repository = opened.repository
    held = queue_refs(opened) + batch
    with PackWriter(repository.objects, label=held) as objects:
        with _project_lock(opened, give_up):
            baseline = repository.head().commit
            taken = _names(repository, baseline)
            drafts = [
                Draft(
                    name=request.name,
                    baseline=baseline,
                    commit="",
                    batch=batch,
                    spec=request.spec(spec),
                )
                for request in requests
            ]
            if not spec.options.force:
                queue.check_names(drafts, taken)
            trees = list(_trees(opened, spec, requests, objects, limits))
            if spec.copy_paths:  # Others may be there if this is done again.
                remove_tree(queue.copies_dir(batch))
            copy_paths(opened, spec, queue.copies_dir(batch))
        who = committer(repository)
        commits = [
            write_held_commit(
                objects, tree=tree, parents=[baseline], message="exprun: queued experiment", who=who
            )
            for tree in trees
        ]
        hold(repository, objects, held, commits, who, owed=objects.left_loose)
    pairs = zip(drafts, commits, strict=True)
    return [replace(draft, commit=commit) for draft, commit in pairs], taken


def _project_lock(
    opened: Opened, give_up: Callable[[], bool] | None
) -> AbstractContextManager[None]:
    """DVC's lock: nobody writes lock files or data while the workspace is looked at."""
    return repo_lock(opened).held(
        Patience(
            limit_s=None,
            on_wait=lambda what: opened.warn(f"waiting for {what}"),
            give_up=give_up,
        )
    )


def _names(repository: Repository, baseline: str) -> Names:
    taken = {ref.name for ref, _ in list_experiments(repository.refs, baseline=baseline)}
    return Names(taken=taken, make=random_name)


def _trees(
    opened: Opened,
    spec: ExperimentSpec,
    requests: Sequence[_Request],
    objects: ObjectStore,
    limits: Limits | None,
) -> Iterator[str]:
    """The tree that each experiment starts from."""
    repository = opened.repository
    root = opened.place.root
    snapshot = Snapshot(repository, objects)
    base = snapshot.take()
    data: dict[Location, bytes] | None = None
    for request in requests:
        edits = edit_params(opened, spec, request.overrides).contents
        is_first = data is None
        if data is None or spec.options.selection.targets:
            # What a target needs may depend on parameters; all stages are always the same ones.
            project = opened.load(Overlay(opened.files, edits) if edits else None)
            stages = project.plan(spec.options.selection)
            require_fit(stages, limits, opened.files)
            data = _commit_data(opened, spec, project, edits)
        inside = {
            repository.inside(os.path.join(root, location)): content
            for location, content in (edits | data).items()
        }
        tree = snapshot.vary(base, inside)
        if is_first:
            warn_of_left_behind(opened, project, stages, tree, objects, spec.copy_paths)
        yield tree


def _commit_data(
    opened: Opened, spec: ExperimentSpec, project: Project, edits: Mapping[Location, bytes]
) -> dict[Location, bytes]:
    """Bring the data that the experiment needs into the cache; the .dvc files that tell of it."""
    selection = spec.options.selection
    if not project.data:
        return {}
    site = opened.site(project, edits=edits)
    files: dict[Location, bytes] = {}
    with site.store:
        for stage, entry in commit_data(site, concerned_stages(project, selection)):
            files[stage.file] = update_data_file(project.data[stage.file], entry)
            cached = {out.path for out in stage.outs if out.cache}
            site.store.sync(
                out.content
                for out in entry.outs
                if out.path in cached and out.content and site.store.has(out.content)
            )
    return files


def copy_paths(opened: Opened, spec: ExperimentSpec, directory: str) -> None:
    """Copy the paths of ``-C`` as they are now. Raises UsageError."""
    cwd = os.path.join(opened.place.root, spec.options.selection.cwd)
    for path in spec.copy_paths:
        target = join(ROOT, path)
        if not is_outside(target):
            os.makedirs(os.path.dirname(os.path.join(directory, target)), 0o700, exist_ok=True)
        copy_path(path, source=cwd, root=directory)
    files = [os.path.join(at, name) for at, _, below in os.walk(directory) for name in below]
    if files:
        sync_files(files)
