"""A project as its files describe it at one moment: its stages, the graph, and what to run."""

from __future__ import annotations

import os
import shlex
from functools import cached_property
from typing import TYPE_CHECKING

from exprun.errors import LockfileError, PipelineError, ProjectError
from exprun.formats.reading import YamlReader, read_yaml
from exprun.pipeline.load import load_pipeline
from exprun.pipeline.spelling import lock_of
from exprun.pipeline.targets import DATA_SUFFIX, Catalogue, Selector
from exprun.pipeline.unpacking import ParsingOptions
from exprun.project.collect import collect_dvc_files
from exprun.project.ignore import IgnoreRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exprun.model.experiment import Selection
    from exprun.model.files import Files
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.pipeline.datafile import DataFile
    from exprun.pipeline.graph import Graph
    from exprun.pipeline.pipeline_file import PipelineFile
    from exprun.pipeline.recent import RecentPipelines
    from exprun.project.config import Config
    from exprun.project.gitignore import GitIgnore
    from exprun.project.root import Place


class Project:
    """All DVC files of a project, loaded. A file that cannot be loaded is kept as `broken`."""

    def __init__(
        self,
        root: str,
        *,
        pipelines: Mapping[Location, PipelineFile],
        data: Mapping[Location, DataFile],
        order: Sequence[Location],
        broken: Mapping[Location, ProjectError],
        files: Files,
        ignore: IgnoreRules,
        recent: RecentPipelines,
    ) -> None:
        """`ignore` are the rules by which the DVC files were found."""
        self.root = root
        self.ignore = ignore
        self.pipelines = pipelines
        self.data = data
        self.broken = broken
        self._order = order
        self._files = files
        self._recent = recent

    @cached_property
    def catalogue(self) -> Catalogue:
        stages = {file: self._stages_of(file) for file in self._order if file not in self.broken}
        groups = {file: pipeline.groups for file, pipeline in self.pipelines.items()}
        return Catalogue(stages=stages, groups=groups, broken=self.broken)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Every stage, in the order in which DVC collects them."""
        return tuple(stage for stages in self.catalogue.stages.values() for stage in stages)

    @cached_property
    def graph(self) -> Graph:
        """Who waits for whom. Raises PipelineError for cycles and clashing outputs."""
        return self._recent.graph(self.stages, root=self.root)

    def select(self, selection: Selection) -> list[Stage]:
        """The stages that the targets name. Raises UsageError, or what is wrong with a file."""
        if selection.all_pipelines:
            self.require_sound()
            return list(self.stages)
        selector = Selector(
            catalogue=self.catalogue,
            files=self._files,
            root=self.root,
            graph=lambda: self.graph,
            cwd=selection.cwd,
        )
        return selector.select(
            selection.targets, recursive=selection.recursive, glob=selection.glob
        )

    def plan(self, selection: Selection) -> list[Stage]:
        """The stages to bring up to date, in DVC's order."""
        from exprun.pipeline.plan import Reach, plan

        reach = Reach(
            pipeline=selection.pipeline,
            all_pipelines=selection.all_pipelines,
            downstream=selection.downstream,
            single_item=selection.single_item,
        )
        selected = self.select(selection)
        if not reach.needs_graph:
            return selected
        return plan(self.graph.active(), selected, reach)

    def require_sound(self) -> None:
        """Raise the first reason why a file could not be loaded."""
        for error in self.broken.values():
            raise error

    def _stages_of(self, file: Location) -> tuple[Stage, ...]:
        if file in self.data:
            return (self.data[file].stage,)
        return self.pipelines[file].stages


def load_project(
    place: Place,
    config: Config,
    files: Files,
    *,
    git_ignore: GitIgnore | None = None,
    yaml: YamlReader = read_yaml,
    recent: RecentPipelines,
) -> Project:
    """Load every DVC file below the root of `place`, with the contents `files` gives them.

    Raises PipelineError only for what makes the whole project unusable.
    """
    return _Loading(place, config, files, git_ignore, yaml, recent).load()


class _Loading:
    def __init__(
        self,
        place: Place,
        config: Config,
        files: Files,
        git_ignore: GitIgnore | None,
        yaml: YamlReader,
        recent: RecentPipelines,
    ) -> None:
        self._place = place
        self._files = files
        self._git_ignore = git_ignore
        self._yaml = yaml
        self._recent = recent
        self._ignore = IgnoreRules(place.root)
        # Only for outputs: an output may hold a DVC project.
        self._outputs = IgnoreRules(place.root, nested_projects=True, beside=self._ignore)
        self._parsing = ParsingOptions(bools=config.parsing.bool, lists=config.parsing.list)
        self._pipelines: dict[Location, PipelineFile] = {}
        self._data: dict[Location, DataFile] = {}
        self._broken: dict[Location, ProjectError] = {}

    def load(self) -> Project:
        order = collect_dvc_files(
            self._place,
            lambda file: tuple(self._outputs_of(file)),
            ignore=self._ignore,
            git_ignore=self._git_ignore,
        )
        return Project(
            self._place.root,
            pipelines=self._pipelines,
            data=self._data,
            order=order,
            broken=self._broken,
            files=self._files,
            ignore=self._ignore,
            recent=self._recent,
        )

    def _outputs_of(self, file: Location) -> Iterator[Location]:
        try:
            stages = self._load_file(file)
            self._check_ignored(file, stages)
            for stage in stages:
                for out in stage.outs:
                    yield out.location
        except ProjectError as error:
            self._broken[file] = error
            self._pipelines.pop(file, None)
            self._data.pop(file, None)

    def _check_ignored(self, file: Location, stages: Sequence[Stage]) -> None:
        """Refuse what would get lost: a lock file ignored by Git, and outputs ignored by DVC."""
        lock = os.path.join(self._place.prefix, lock_of(file))
        git_ignore = self._git_ignore if file in self._pipelines else None
        if git_ignore is not None and git_ignore.ignores_entry(lock, is_dir=False):
            raise LockfileError(
                "this lock file is ignored by Git",
                where=lock_of(file),
                hint=f"to see the pattern to remove: git check-ignore -v {shlex.quote(lock)}",
            )
        for stage in stages:
            for out in stage.outs:
                if self._outputs.ignores_output(out.location):
                    raise PipelineError(
                        f"output '{out.path}' is ignored by .dvcignore",
                        where=file,
                        hint="change the pattern that ignores it, or name another output",
                    )

    def _load_file(self, file: Location) -> Sequence[Stage]:
        root = self._place.root
        if file.endswith(DATA_SUFFIX):
            from exprun.pipeline.datafile import load_data_file

            try:
                data = self._files.read(file)
            except OSError as error:
                raise PipelineError(f"cannot be read: {error.strerror}", where=file) from None
            self._data[file] = load_data_file(file, data, root=root, yaml=self._yaml)
            return (self._data[file].stage,)
        self._pipelines[file] = load_pipeline(
            file,
            self._files,
            root=root,
            parsing=self._parsing,
            yaml=self._yaml,
            recent=self._recent,
        )
        return self._pipelines[file].stages
