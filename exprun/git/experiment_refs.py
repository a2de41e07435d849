"""Where experiments are kept: ``refs/exps/<2 of baseline>/<38>/<name>``, and finding one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exprun.errors import UsageError
from exprun.git.refs import ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exprun.git.refs import RefStore

NAMESPACE = "refs/exps/"

_HEX = frozenset("0123456789abcdef")


class ExperimentRef(NamedTuple):
    """The name of an experiment, and the commit it started from."""

    baseline: str
    name: str

    def __str__(self) -> str:
        return f"{NAMESPACE}{self.baseline[:2]}/{self.baseline[2:]}/{self.name}"


def parse_experiment_ref(ref: str) -> ExperimentRef | None:
    """The experiment a ref stands for; None for any other ref, as DVC's stashes.

    DVC fails on a ref it does not know; here a stranger's ref harms nothing.
    """
    if not ref.startswith(NAMESPACE):
        return None
    parts = ref.removeprefix(NAMESPACE).split("/")
    if len(parts) != 3 or not parts[2]:
        return None
    baseline = parts[0] + parts[1]
    if len(parts[0]) != 2 or len(baseline) != 40 or not _HEX.issuperset(baseline):
        return None
    return ExperimentRef(baseline, parts[2])


def list_experiments(
    refs: RefStore,
    *,
    baseline: str | None = None,
    name: str = "",
    warn: Callable[[str], None] = ignore,
) -> Iterator[tuple[ExperimentRef, str]]:
    """Each stored experiment (of one baseline, of one name) with its commit, sorted by both.

    `warn` is told of refs that are broken.
    """
    below = NAMESPACE + (f"{baseline[:2]}/{baseline[2:]}/" if baseline else "")
    for ref, commit in refs.iterate(below, ending=f"/{name}" if name else "", warn=warn):
        if experiment := parse_experiment_ref(ref):
            yield experiment, commit


def find_experiment(refs: RefStore, name: str, *, head: str) -> tuple[ExperimentRef, str] | None:
    """The experiment of that name (or full ref) with its commit; None if there is none.

    Of several baselines that have one, HEAD's counts, as in DVC; else UsageError is raised.
    """
    if name.startswith("refs/"):
        given = parse_experiment_ref(name)
        commit = refs.read(name) if given else None
        return (given, commit) if given and commit else None
    found = [one for one in list_experiments(refs, name=name) if one[0].name == name]
    if len(found) <= 1:
        return found[0] if found else None
    for ref, commit in found:
        if ref.baseline == head:
            return ref, commit
    listed = "\n".join(f"\t{ref}" for ref, _ in found)
    raise UsageError(
        f"ambiguous experiment name '{name}' refers to multiple experiments",
        hint=f"use one of the full refnames:\n\n{listed}",
    )
