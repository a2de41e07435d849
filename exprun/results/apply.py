"""Bringing an experiment into the user's workspace, and taking that back.

The files become those of ``dvc exp apply``: the experiment's, and beside them what the workspace
has and the experiment has nothing for. HEAD stays, and so does, unlike with DVC, the index.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from exprun.errors import ExprunError, LockfileError
from exprun.git.refs import RefEdit
from exprun.git.tree import edit_tree
from exprun.model.files import named_by
from exprun.model.paths import is_outside, is_url
from exprun.model.values import dataclass, replace
from exprun.project.locks import Busy, Patience
from exprun.results.history import History
from exprun.results.kept import (
    Kept,
    begin_return,
    edits_of_return,
    keep,
    last_kept,
    workspace_tree,
)
from exprun.results.reading import CommitReader
from exprun.results.replacing import carried_over, plan_replacement
from exprun.results.table import parsing_options
from exprun.results.unfinished import resolve
from exprun.runner.data_stages import check_out_outputs, recorded_outputs
from exprun.runner.exclusion import WORKSPACE, Exclusion
from exprun.runner.guard import Guard, path_locks, repo_lock
from exprun.runner.probe import content_like
from exprun.runner.repro import workspace_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from exprun.model.lock import Content
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.results.replacing import Replacement
    from exprun.runner.opening import Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was done. `problems` tell of data that could not be brought into the workspace."""

    kept: Kept
    problems: tuple[str, ...]


def apply(opened: Opened, revision: str) -> Applied:
    """Make the workspace what an experiment, or any commit, holds.

    Raises UsageError if there is no such thing, or if a file is in the way, and Busy if stages run
    in the workspace; then nothing was changed. What the workspace held is kept first.
    """
    repository = opened.repository
    commit = resolve(opened, History(repository), revision)
    wanted = repository.tree_of(commit)
    with _alone(opened) as using:
        present = workspace_tree(repository)
        target = wanted
        if present != repository.tree_of(repository.head().commit):
            # With a clean workspace DVC has nothing to carry over: then what HEAD has and the
            # experiment has not, goes.
            carried = carried_over(repository, present, wanted)
            target = edit_tree(repository.objects, wanted, carried)
        replacement = plan_replacement(repository, present, target)
        with using(replacement):
            kept = _keep(opened, present, target, before=f"applying {revision}")
            repository.refs.change(edits_of_return(repository))
            hint = "to bring back what the workspace held: exprun apply --undo"
            _carry_out(replacement, hint)
            return Applied(kept=kept, problems=_check_out(opened, {}))


def undo(opened: Opened) -> Applied:
    """Make the workspace what it was before the last `apply` or `undo`; this can be undone, too."""
    repository = opened.repository
    with _alone(opened) as using:
        last = last_kept(repository)
        present = workspace_tree(repository)
        replacement = plan_replacement(repository, present, last.tree)
        with using(replacement):
            begin_return(repository, last)
            kept = _keep(opened, present, last.tree, before="undoing")
            _carry_out(replacement, hint="to go on: exprun apply --undo")
            problems = _check_out(opened, last.data)
        gone = [] if problems else [RefEdit(last.ref, last.commit, None)]
        repository.refs.change([*gone, *edits_of_return(repository)])
        return Applied(kept=kept, problems=problems)


def _carry_out(replacement: Replacement, hint: str) -> None:
    """Carry it out. If that ends midway, the error raised gives the hint."""
    try:
        replacement.carry_out()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExprunError(reason, where=named_by(error), hint=hint) from error
    except ExprunError as error:
        error.hint = "\n".join(filter(None, [error.hint, hint]))
        raise


@contextmanager
def _alone(opened: Opened) -> Iterator[Callable[[Replacement], AbstractContextManager[None]]]:
    """Held while the workspace is changed; gives what is to be held, besides, by a change of it.

    Both raise Busy: that what runs here ends is not waited for, as it may have hours to go.
    """
    patience = Patience(limit_s=30.0, on_wait=lambda what: opened.warn(f"waiting for {what}"))
    with (
        Exclusion(opened.place.state_dir).held_at_once(WORKSPACE) as is_free,
        Guard(repo_lock(opened), None, patience).working(),
    ):
        if not is_free:
            raise Busy(
                "an experiment runs in the workspace",
                hint="wait until it has finished: exprun logs --follow",
            )
        yield partial(_using, opened)


def _using(opened: Opened, replacement: Replacement) -> AbstractContextManager[None]:
    """The files that are replaced and the outputs, held against stages that run here."""
    root = opened.place.root
    outs = [out.location for stage in opened.load().stages for out in stage.outs]
    paths = [os.path.join(root, location) for location in outs if not is_url(location)]
    paths += [
        os.path.join(opened.repository.workdir, path)
        for path in sorted(replacement.removed | replacement.added)
    ]
    return path_locks(opened, cmd="exprun apply").held(read=(), write=paths)


def _keep(opened: Opened, present: str, target: str, *, before: str) -> Kept:
    data = _unrecorded_data(opened, [*opened.load().stages, *_stages_in(opened, target)])
    return keep(opened.repository, present, data, before=before)


def _stages_in(opened: Opened, tree: str) -> Iterable[Stage]:
    """The stages in a tree; none if they cannot be loaded, for then nothing is checked out."""
    reader = CommitReader(
        opened.repository.objects,
        prefix=opened.place.prefix,
        root=opened.place.root,
        parsing=parsing_options(opened),
    )
    try:
        return tuple(reader.describe(tree).stages())
    except ExprunError:
        return ()


def _unrecorded_data(opened: Opened, stages: Iterable[Stage]) -> dict[Location, Content | None]:
    """What the outputs of `stages` hold that dvc.lock does not tell, brought into the cache.

    None for what is not there. A dvc.lock that cannot be read, as one that an interrupted `apply`
    leaves, tells nothing.
    """
    project = opened.load()
    site = workspace_site(opened, project)
    recorded: dict[Location, Content | None] = {}
    for stage in project.stages:
        try:
            entry = site.records.entry(stage)
        except LockfileError:
            entry = None
        known = {out.path: out.content for out in entry.outs} if entry else {}
        recorded.update((out.location, known.get(out.path)) for out in stage.outs)
    outs = {out.location for stage in stages for out in stage.outs if out.cache}
    found: dict[Location, Content | None] = {}
    with site.store as store:
        for location in sorted(outs):
            if is_outside(location):
                continue
            content = content_like(site.probe, location, recorded.get(location))
            if content is None:
                found[location] = None
                continue
            if not store.has(content):
                content = store.collect(site.path(location), root=site.root, relink=False)
            if not content.same_data(recorded.get(location)):
                found[location] = content
        store.sync(filter(None, found.values()))
    return found


def _check_out(opened: Opened, data: Mapping[Location, Content | None]) -> tuple[str, ...]:
    """Bring the outputs that are recorded now, and `data`, into the workspace; what went wrong."""
    problems: list[str] = []
    project = opened.load()
    problems += [str(error) for error in project.broken.values()]
    site = workspace_site(replace(opened, warn=problems.append), project)
    with site.store as store:
        try:
            check_out_outputs(site, recorded_outputs(site, project.stages), everything=True)
        except ExprunError as error:
            problems.append(str(error))
        for location, content in data.items():
            path = os.path.join(site.root, location)
            try:
                if content is None:
                    store.remove_output(path, root=site.root)
                else:
                    store.checkout(content, path, root=site.root)
            except ExprunError as error:
                problems.append(str(error))
    return tuple(problems)
