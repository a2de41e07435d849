"""The place where the stages of one run are brought up to date, and what that takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.lockfile.compare import NOTHING_EXTERNAL, External
from exprun.lockfile.datasets import find_datasets, is_dataset
from exprun.model.paths import Location, place
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exprun.lockfile.datasets import Dataset
    from exprun.model.lock import Content
    from exprun.model.stage import Stage
    from exprun.project.ignore import IgnoreRules
    from exprun.runner.gitignores import GitIgnores
    from exprun.runner.probe import WorkspaceProbe
    from exprun.runner.project import Project
    from exprun.runner.records import Records
    from exprun.store.cache import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A workspace with the project in it. `root` is the project's root there, absolute."""

    root: str
    project: Project
    store: Store
    probe: WorkspaceProbe
    records: Records
    git_ignores: GitIgnores | None
    warn: Callable[[str], None]

    def path(self, location: Location) -> str:
        """Where a location is on disk."""
        return place(self.root, location)

    def plan(self, stages: Sequence[Stage]) -> None:
        """Take note of the order of what the stages will write into files that they share."""
        self.records.plan(stages)
        if self.git_ignores is not None:
            self.git_ignores.plan(stages)

    def ignore(self, location: Location) -> None:
        """Keep an output out of Git. Raises PipelineError if Git tracks it."""
        if self.git_ignores is not None:
            self.git_ignores.ignore(location)

    def upstream_contents(self, stage: Stage) -> Mapping[Location, Content | None]:
        """What the outputs that a stage waits for are recorded to hold."""
        graph = self.project.graph
        contents: dict[Location, Content | None] = {}
        for id in graph.upstream(stage.id):
            upstream = graph.stages[id]
            entry = self.records.entry(upstream)
            recorded = {out.path: out.content for out in entry.outs} if entry else {}
            contents.update((out.location, recorded.get(out.path)) for out in upstream.outs)
        return contents

    def external(self, stage: Stage) -> External:
        """What decides about dependencies of a stage that are no files."""
        if any(map(is_dataset, stage.deps)):
            return External(datasets=self.datasets())
        return NOTHING_EXTERNAL

    def datasets(self) -> Mapping[str, Dataset]:
        """The datasets of the project, by name. Raises LockfileError."""
        defined = {file: known.datasets for file, known in self.project.pipelines.items()}
        return find_datasets(defined, self.records.datasets)


@dataclass(frozen=True, slots=True)
class StoreIgnore:
    """The project's .dvcignore rules as the store asks for them, by absolute path."""

    root: str
    rules: IgnoreRules

    def filter(
        self, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> tuple[list[str], list[str]]:
        inside = dirpath.removeprefix(f"{self.root}/")
        if inside == dirpath:
            inside = os.path.relpath(dirpath, self.root)
        return self.rules.filter(Location(inside), dirnames, filenames)
