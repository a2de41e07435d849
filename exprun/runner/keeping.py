"""What an experiment that failed or was stopped leaves behind: its files, as a commit.

The commit's parent is the baseline, as of one that succeeded, so it can be compared, applied and
looked into like that; the ref ``refs/exprun/failed/<id>`` holds it until the experiment succeeds or
is removed from the queue.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from exprun.errors import RefConflict
from exprun.git.experiments import write_commit
from exprun.git.held import objects_of, point, stored
from exprun.git.identity import signatures
from exprun.git.refs import RefEdit
from exprun.git.tree import FILE, Entry, edit_tree
from exprun.model.stage import OutputKind
from exprun.runner.failures import FAULTS
from exprun.runner.publishing import build_tree, files_to_add

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exprun.git.repository import Repository
    from exprun.runner.opening import Opened
    from exprun.runner.reproduction import Reproduction

_LARGEST_METRICS = 10_000_000
_ATTEMPTS = 5


def keep_state(opened: Opened, reproduction: Reproduction, worktree: Repository) -> str | None:
    """Store what the workspace of an experiment holds now; the commit of it.

    Unlike that of a success it has the metrics that belong into the cache, since no lock file
    tells of them. None, and a warning, if it cannot be stored.
    """
    try:
        return stored(partial(_store, opened, reproduction, worktree))
    except FAULTS as fault:
        opened.warn(f"the state of experiment '{reproduction.experiment}' is not kept: {fault}")
        return None


def _store(opened: Opened, reproduction: Reproduction, worktree: Repository) -> str:
    assert reproduction.baseline is not None
    repository, site = opened.repository, reproduction.site
    site.records.flush()
    files = files_to_add(reproduction.stages, site.project)
    tree = build_tree(worktree, site.root, files, target=repository)
    metrics = {
        worktree.inside(path): Entry(FILE, repository.objects.write_file(path))
        for path in _cached_metrics(reproduction)
    }
    author, committer = signatures(repository.env, repository.config)
    commit = write_commit(
        repository,
        tree=edit_tree(repository.objects, tree, metrics),
        parent=reproduction.baseline,
        message=f"exprun: experiment {reproduction.experiment}, unfinished",
        author=author,
        committer=committer,
    )
    _point(repository, _refs(opened) + reproduction.id, commit, reproduction.baseline)
    return commit


def let_go_of_state(opened: Opened, id: str) -> None:
    """Let go of what is kept of an experiment that has succeeded by now."""
    refs, ref = opened.repository.refs, _refs(opened) + id
    # Otherwise it is let go when the queue is tidied.
    with suppress(*FAULTS):
        if commit := refs.read(ref):
            refs.change([RefEdit(ref, commit, None)])


def kept_refs(opened: Opened, needed: Iterable[str]) -> list[str]:
    """The refs that hold what is left of other experiments than those of the ids `needed`."""
    refs = _refs(opened)
    wanted = {refs + id for id in needed}
    return [ref for ref, _ in opened.repository.refs.iterate(refs) if ref not in wanted]


def _refs(opened: Opened) -> str:
    return opened.repository.own_refs("failed", opened.place.prefix)


def _cached_metrics(reproduction: Reproduction) -> Iterator[str]:
    for stage in reproduction.stages:
        for out in stage.outs:
            if out.kind is OutputKind.METRIC and out.is_kept_in_cache:
                path = reproduction.site.path(out.location)
                if _is_small_file(path):
                    yield path


def _is_small_file(path: str) -> bool:
    try:
        # A link into the cache counts: what it leads to is the metrics.
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST_METRICS


def _point(repository: Repository, ref: str, commit: str, baseline: str) -> None:
    for _ in range(_ATTEMPTS):
        existing = repository.refs.read(ref)
        try:
            owed = objects_of(repository, baseline, commit)
            point(repository, ref, commit, expected=existing, owed=owed)
        except RefConflict:
            continue
        return
    raise RefConflict(f"ref {ref} keeps changing")
