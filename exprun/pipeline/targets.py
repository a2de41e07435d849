"""Targets: the spellings by which a user names stages, and what each of them selects.

The splitting rules are those of ``dvc.utils.parse_target``: a target is cut at its first ``@``,
and what is before it at its last ``:`` that no slash follows.
"""

from __future__ import annotations

import posixpath
from types import MappingProxyType
from typing import TYPE_CHECKING

from exprun.errors import PipelineError, UsageError
from exprun.model.paths import ROOT, Location, is_inside, is_outside, join, parent, spell
from exprun.model.values import dataclass, field
from exprun.pipeline.spelling import is_dvc_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exprun.errors import ProjectError
    from exprun.model.files import Files
    from exprun.model.stage import Stage
    from exprun.pipeline.graph import Graph

PIPELINE_FILE = "dvc.yaml"
LOCK_FILE = "dvc.lock"
DATA_SUFFIX = ".dvc"


def _no_groups() -> Mapping[Location, Mapping[str, tuple[str, ...]]]:
    return MappingProxyType({})


def _nothing_broken() -> Mapping[Location, ProjectError]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What a project's DVC files define, by file, in definition order.

    `groups` holds, for each file, the names that each ``foreach`` or ``matrix`` generated; `broken`
    the reason why a file could not be loaded.
    """

    stages: Mapping[Location, Sequence[Stage]]
    groups: Mapping[Location, Mapping[str, tuple[str, ...]]] = field(default_factory=_no_groups)
    broken: Mapping[Location, ProjectError] = field(default_factory=_nothing_broken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target taken apart: a DVC file as spelled, and a name or pattern in it, or all of it."""

    file: str = PIPELINE_FILE
    name: str | None = None


def parse_target(target: str, *, glob: bool = False) -> Target:
    """`target` taken apart. Raises UsageError if it names a lock file."""
    if glob:
        path, _, pattern = target.rpartition(":")
        return Target(file=path or PIPELINE_FILE, name=pattern or None)
    group, _, key = target.partition("@")
    path, name = _split_name(group)
    if posixpath.basename(path) == LOCK_FILE:
        raise UsageError(
            f"'{target}' is a lock file",
            hint=f"name the pipeline file: {target.replace('.lock', '.yaml', 1)}",
        )
    if name:
        return Target(file=path or PIPELINE_FILE, name=f"{name}@{key}" if key else name)
    if path and is_dvc_file(target):
        return Target(file=target)
    return Target(name=target if path else None)


def _split_name(group: str) -> tuple[str, str | None]:
    path, colon, name = group.rpartition(":")
    if not colon or "/" in name or "\\" in name:
        return group, None
    return path, name


def address(stage: Stage, cwd: Location = ROOT) -> str:
    """How DVC shows `stage` to someone in the directory `cwd`, and passes it as ``DVC_STAGE``."""
    file = spell(stage.file, start=cwd)
    if stage.name is None:
        return file
    return stage.name if file == PIPELINE_FILE else f"{file}:{stage.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Finds the stages that targets name, for someone in the directory `cwd` of a project.

    `root` is the project's absolute path, `files` its files. `graph` is only asked for by a
    recursive target that names a directory.
    """

    catalogue: Catalogue
    files: Files
    root: str
    graph: Callable[[], Graph]
    cwd: Location = ROOT

    def select(
        self, targets: Iterable[str] = (), *, recursive: bool = False, glob: bool = False
    ) -> list[Stage]:
        """The stages named by `targets`, each once, in the order named.

        Without targets, those of the dvc.yaml in `cwd`. Raises UsageError if a target names
        nothing, and the reason itself if it names a file, or the directory of one, that could not
        be loaded.
        """
        selected: dict[object, Stage] = {}
        for target in list(targets) or [PIPELINE_FILE]:
            for stage in self._select_one(target, recursive=recursive, glob=glob):
                selected.setdefault(stage.id, stage)
        return list(selected.values())

    def _select_one(self, target: str, *, recursive: bool, glob: bool) -> Sequence[Stage]:
        if recursive:
            directory = self._locate(target)
            if not is_outside(directory) and self.files.is_dir(directory):
                return self._beneath(directory)
        parsed = parse_target(target, glob=glob)
        file = self._locate(parsed.file)
        stages = self._stages_of(file, target, parsed)
        if parsed.name is None or file.endswith(DATA_SUFFIX):
            return stages
        return self._named(stages, file, parsed.name, target, glob=glob)

    def _locate(self, path: str) -> Location:
        if not posixpath.isabs(path):
            return join(self.cwd, path)
        inside = posixpath.relpath(path, self.root)
        return join(ROOT, path if inside.startswith("..") else inside)

    def _beneath(self, directory: Location) -> list[Stage]:
        for file, reason in self.catalogue.broken.items():
            if is_inside(file, directory):
                raise reason
        graph = self.graph()
        return [
            graph.stages[id]
            for id in graph.postorder()
            if id.file != directory and is_inside(id.file, directory)
        ]

    def _stages_of(self, file: Location, target: str, parsed: Target) -> Sequence[Stage]:
        if file in self.catalogue.broken:
            raise self.catalogue.broken[file]
        stages = self.catalogue.stages.get(file)
        if stages is None:
            raise self._no_file(file, target, parsed)
        return stages

    def _named(
        self, stages: Sequence[Stage], file: Location, name: str, target: str, *, glob: bool
    ) -> list[Stage]:
        members = self.catalogue.groups.get(file, {}).get(name)
        if members is not None:
            wanted = set(members)
            return [stage for stage in stages if stage.name in wanted]
        if glob:
            from fnmatch import fnmatchcase

            return [stage for stage in stages if fnmatchcase(stage.name or "", name)]
        found = [stage for stage in stages if stage.name == name]
        if not found:
            raise self._no_stage(file, name, target)
        return found

    def _no_file(self, file: Location, target: str, parsed: Target) -> UsageError | PipelineError:
        spelled = spell(file, start=self.cwd)
        if parsed.name is None and not is_dvc_file(file):
            return UsageError(
                f"'{target}' is not a DVC file: these are named dvc.yaml, or end in .dvc"
            )
        if self.files.is_file(file):
            return PipelineError(
                "this DVC file is not part of the project",
                where=spelled,
                hint="it is ignored by Git or .dvcignore, lies inside an output, "
                "or belongs to another DVC project",
            )
        if parsed.name is None and parsed.file == PIPELINE_FILE:
            return UsageError(
                f"'{PIPELINE_FILE}' does not exist here",
                hint="name a stage or a DVC file elsewhere, or ask for everything with -P",
            )
        if parsed.name == target:
            return UsageError(
                f"stage '{target}' not found: there is no '{spelled}'",
                hint=self._maker_of(target) or self._suggest(target, file),
            )
        return UsageError(f"'{spelled}' does not exist", hint=self._suggest(target, file))

    def _no_stage(self, file: Location, name: str, target: str) -> UsageError:
        return UsageError(
            f"stage '{name}' not found inside '{spell(file, start=self.cwd)}' file",
            hint=self._maker_of(target) or self._suggest(target, file),
        )

    def _maker_of(self, target: str) -> str | None:
        """A hint for who takes an output for a target, which DVC does not accept either."""
        location = self._locate(target)
        for stages in self.catalogue.stages.values():
            for stage in stages:
                if any(out.location == location for out in stage.outs):
                    return f"'{target}' is an output; its stage is {address(stage, self.cwd)}"
        return None

    def _suggest(self, target: str, near: Location) -> str | None:
        """A hint with the spellings closest to `target`: names in `near` first, then all others."""
        from difflib import get_close_matches

        choices: dict[str, None] = {}
        for file in [near, *self.catalogue.stages]:
            for stage in self.catalogue.stages.get(file, ()):
                choices[address(stage, self.cwd)] = None
            choices.update(dict.fromkeys(self._groups_of(file)))
        same_name = [choice for choice in choices if choice.rpartition(":")[2] == target]
        close = same_name or get_close_matches(target, choices, n=3)
        if not close:
            return "see `exprun stages`" if choices else None
        return f"did you mean {' or '.join(repr(choice) for choice in close)}?"

    def _groups_of(self, file: Location) -> list[str]:
        here = parent(file) == self.cwd
        prefix = "" if here else f"{spell(file, start=self.cwd)}:"
        return [prefix + group for group in self.catalogue.groups.get(file, {})]
