"""Listing, removing, renaming and branching stored experiments: changes of refs, nothing else."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from exprun.errors import GitError, RefConflict, UsageError
from exprun.git.command import NO_HOOKS, run_git
from exprun.git.experiment_refs import (
    NAMESPACE,
    ExperimentRef,
    find_experiment,
    list_experiments,
)
from exprun.git.names import check_name
from exprun.git.refs import RefEdit
from exprun.model.near import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exprun.git.refs import RefStore
    from exprun.git.repository import Repository
    from exprun.results.history import History

Stored = tuple[ExperimentRef, str]
"""An experiment and its commit."""

# What DVC notes when it applies an experiment, and forgets with it.
_APPLIED = NAMESPACE + "exec/EXEC_APPLY"
_NO_COMMIT = "0" * 40


def experiments_of(
    repository: Repository, baselines: Iterable[str] | None, *, warn: Callable[[str], None]
) -> Mapping[str, list[Stored]]:
    """The experiments of each baseline that has some; of all, HEAD's first, if None.

    `warn` is told of refs that are broken.
    """
    refs = repository.refs
    found: dict[str, list[Stored]] = {}
    if baselines is None:
        found[repository.head().commit] = []
        for stored in list_experiments(refs, warn=warn):
            found.setdefault(stored[0].baseline, []).append(stored)
    else:
        for baseline in baselines:
            found[baseline] = list(list_experiments(refs, baseline=baseline, warn=warn))
    return {baseline: experiments for baseline, experiments in found.items() if experiments}


def find_all(repository: Repository, names: Sequence[str]) -> list[Stored]:
    """The experiments of these names or full refs. Raises UsageError that names all unknown."""
    found, unknown = find_known(repository, names)
    if unknown:
        raise unknown_experiments(repository, unknown)
    return found


def unknown_experiments(
    repository: Repository, names: Sequence[str], others: Iterable[str] = ()
) -> UsageError:
    """The refusal of names that no experiment has, neither those stored nor `others`."""
    known = [*others, *(ref.name for ref, _ in list_experiments(repository.refs))]
    return UsageError(
        f"could not find experiment {_join([repr(name) for name in names])}",
        hint=did_you_mean(names[0], known, "exprun list -A"),
    )


def find_known(repository: Repository, names: Sequence[str]) -> tuple[list[Stored], list[str]]:
    """The experiments of these names or full refs, and the names that none has."""
    head = repository.head().commit
    if len(names) == 1 or any(name.startswith("refs/") for name in names):
        found = {name: find_experiment(repository.refs, name, head=head) for name in names}
    else:
        found = _find_many(repository.refs, names, head)
    known = [stored for stored in found.values() if stored is not None]
    return known, [name for name, stored in found.items() if stored is None]


def _find_many(refs: RefStore, names: Sequence[str], head: str) -> dict[str, Stored | None]:
    """As `find_experiment` for each name, with the refs listed once."""
    by_name: dict[str, list[Stored]] = {name: [] for name in names}
    for stored in list_experiments(refs):
        if stored[0].name in by_name:
            by_name[stored[0].name].append(stored)
    found: dict[str, Stored | None] = {}
    for name, candidates in by_name.items():
        if len(candidates) > 1:
            # Chosen, or refused with all of them listed.
            found[name] = find_experiment(refs, name, head=head)
        else:
            found[name] = candidates[0] if candidates else None
    return found


def remove(repository: Repository, experiments: Sequence[Stored]) -> None:
    """Remove the refs of all these experiments, or of none. Raises RefConflict."""
    commits = {commit for _, commit in experiments}
    edits = {RefEdit(str(ref), commit, None) for ref, commit in experiments}
    applied = repository.refs.read(_APPLIED)
    if applied in commits:
        edits.add(RefEdit(_APPLIED, applied, None))
    repository.refs.change(edits)


def rename(repository: Repository, old: str, new: str, *, replace: bool = False) -> bool:
    """Give an experiment another name; whether that made a difference.

    Raises UsageError for an unknown or invalid name, RefConflict for one that is taken, unless it
    is to `replace` the other experiment.
    """
    [(ref, commit)] = find_all(repository, [old])
    target = ExperimentRef(ref.baseline, check_name(new))
    if target == ref:
        return False
    taken = repository.refs.read(str(target))
    # A rename that was killed half-way leaves both names at one commit.
    if taken not in (None, commit) and not replace:
        raise RefConflict(
            f"experiment conflicts with existing experiment '{new}'",
            hint=f"to replace it: exprun rename -f {shlex.join([old, new])}",
        )
    repository.refs.change([RefEdit(str(target), taken, commit), RefEdit(str(ref), commit, None)])
    return True


def branch(repository: Repository, experiment: Stored, name: str | None) -> str:
    """Make a branch at an experiment's commit; the branch's name.

    Raises UsageError if the branch may not be called so, RefConflict if it exists or another is in
    its way, GitError.
    """
    ref, commit = experiment
    name = name or f"{ref.name}-branch"
    try:
        run_git(repository.workdir, repository.env, ["check-ref-format", "--branch", name])
    except GitError as error:
        raise UsageError(f"cannot make the branch '{name}': {error.message}") from None
    parts = name.split("/")
    for taken in ("/".join(parts[:length]) for length in range(len(parts), 0, -1)):
        if repository.refs.read(f"refs/heads/{taken}") is not None:
            raise RefConflict(f"Git branch '{taken}' already exists.", hint="give another name")
    reason = f"exprun: created from experiment '{ref.name}'"
    command = [*NO_HOOKS, "update-ref", "-m", reason, f"refs/heads/{name}", commit, _NO_COMMIT]
    try:
        run_git(repository.workdir, repository.env, command)
    except GitError as error:
        # The branch, one below it, or a lock.
        kind = RefConflict if " exists" in error.message else GitError
        raise kind(f"cannot make the branch '{name}': {error.message}") from None
    return name


def find_one(repository: Repository, history: History, experiment: str) -> Stored:
    """The experiment of that name, full ref or commit; HEAD's if a commit has several.

    Raises UsageError if there is none.
    """
    found = find_experiment(repository.refs, experiment, head=history.head.commit)
    if found is not None:
        return found
    commit = history.resolve(experiment)
    candidates = [stored for stored in list_experiments(repository.refs) if stored[1] == commit]
    own = [stored for stored in candidates if stored[0].baseline == history.head.commit]
    if len(candidates) > 1 and len(own) != 1:
        listed = "\n".join(f"\t{ref}" for ref, _ in candidates)
        raise UsageError(
            f"'{experiment}' can refer to several experiments",
            hint=f"use one of the full refnames:\n\n{listed}",
        )
    if not candidates:
        raise UsageError(f"'{experiment}' is not an experiment", hint="exprun list -A")
    return (own or candidates)[0]


def _join(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
