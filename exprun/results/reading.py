"""Loading the projects of many commits, with what they share read and parsed once."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, NamedTuple

from exprun.errors import NotAProject
from exprun.formats.reading import YamlReader, read_yaml
from exprun.git.tree import TREE, Entry
from exprun.git.trees import TreeFiles, Trees
from exprun.model.paths import ROOT, Location
from exprun.model.values import dataclass
from exprun.pipeline.datafile import DataFile, load_data_file
from exprun.pipeline.load import has_usable_params, load_pipeline
from exprun.pipeline.pipeline_file import PipelineFile
from exprun.pipeline.spelling import is_dvc_file
from exprun.pipeline.targets import DATA_SUFFIX
from exprun.project.ignore import DVCIGNORE, IgnoreRules
from exprun.project.root import DVC_DIR
from exprun.results.listing import DiskListing, Listing, TreeListing
from exprun.runner.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from exprun.git.objects import ObjectStore
    from exprun.model.lock import LockedStage
    from exprun.model.stage import Stage
    from exprun.pipeline.unpacking import ParsingOptions
    from exprun.runner.project import Project

DvcFiles = tuple[PipelineFile | DataFile, ...]
"""The DVC files of a project, in the order in which DVC collects them."""

_PATTERNS = 4


@dataclass(frozen=True, kw_only=True)
class Description:
    """A project at one moment: its DVC files in order, and all its files."""

    dvc_files: DvcFiles
    files: Listing
    records: Records

    @property
    def pipelines(self) -> Iterator[PipelineFile]:
        return (file for file in self.dvc_files if isinstance(file, PipelineFile))

    def stages(self) -> Iterator[Stage]:
        """Every stage, in the order in which DVC collects them."""
        for file in self.dvc_files:
            if isinstance(file, PipelineFile):
                yield from file.stages
            else:
                yield file.stage

    def entry(self, stage: Stage) -> LockedStage | None:
        """What is recorded about a stage. Raises LockfileError."""
        return self.records.entry(stage)


def describe_workspace(project: Project) -> Description:
    """The project as it is on disk. Raises the first reason why a file cannot be loaded."""
    project.require_sound()
    files = DiskListing(project.root)
    loaded: dict[Location, PipelineFile | DataFile] = {**project.pipelines, **project.data}
    dvc_files = tuple(loaded[file] for file in project.catalogue.stages)
    return Description(
        dvc_files=dvc_files, files=files, records=Records(project.root, files, project.data)
    )


class CommitReader:
    """Describes the project at `prefix` of the repository as trees hold it.

    `root` is the project's root on disk, only compared with absolute paths in files.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        prefix: str,
        root: str,
        parsing: ParsingOptions,
        yaml: YamlReader = read_yaml,
    ) -> None:
        self._objects = objects
        self._prefix = prefix
        self._root = root
        self._parsing = parsing
        self._yaml = yaml
        self._trees = Trees(objects)
        self._patterns: list[_Pattern] = []
        self._relevant: dict[str, bool] = {}
        self._loaded: dict[tuple[Location, str | None], _Loaded] = {}

    def describe(self, tree: str) -> Description:
        """The project in a commit's tree.

        Raises NotAProject if there is none, and what is wrong with the first bad DVC file.
        """
        known = self._like_another(tree)
        if known is None:
            tree_files = TreeFiles(self._objects, tree, prefix=self._prefix, trees=self._trees)
            files = TreeListing(tree_files)
            if not files.is_dir(Location(DVC_DIR)):
                raise NotAProject(f"there is no DVC project in the tree {tree[:7]}")
            known = tuple(self._find(files)), files
            self._patterns.insert(0, _Pattern(tree_files, known[0]))
            del self._patterns[_PATTERNS:]
        dvc_files, files = known
        data = {file.location: file for file in dvc_files if isinstance(file, DataFile)}
        return Description(
            dvc_files=dvc_files, files=files, records=Records(self._root, files, data)
        )

    def _like_another(self, tree: str) -> tuple[DvcFiles, TreeListing] | None:
        """What `_find` would find, told from a tree that differs little: experiments mostly do."""
        for pattern in self._patterns:
            like = pattern.files.like(tree)
            if like is None or any(map(_decides_what_is_found, like.names)):
                continue
            if any(location.endswith(DVCIGNORE) for location in like.changed):
                continue
            files = TreeListing(like.files)
            dvc_files = self._reload(pattern.dvc_files, files, like.changed)
            if dvc_files is not None:
                return dvc_files, files
        return None

    def _reload(self, known: DvcFiles, files: TreeListing, changed: Set[str]) -> DvcFiles | None:
        """`known`, with those loaded anew that depend on something `changed`.

        None if outputs came or went: what lies in an output is not looked into.
        """
        loaded = [
            file if changed.isdisjoint(_read_for(file)) else self._load(file.location, files)
            for file in known
        ]
        if all(map(is_, loaded, known)):
            return known
        same_outs = all(
            _outputs(one) == _outputs(two) for one, two in zip(loaded, known, strict=True)
        )
        return tuple(loaded) if same_outs else None

    def _find(self, files: TreeListing) -> Iterator[PipelineFile | DataFile]:
        """The DVC files of a tree, top-down; directories that hold none are not looked into."""
        ignore = IgnoreRules(self._root, files=files)
        outputs: set[Location] = set()
        pending = [ROOT]
        while pending:
            directory = pending.pop()
            below = files.tree.entries(directory)
            dirs = [n for n, entry in below.items() if entry.mode == TREE and self._matters(entry)]
            names = [n for n, entry in below.items() if entry.mode != TREE and is_dvc_file(n)]
            dirs, names = ignore.filter(directory, dirs, names)
            prefix = "" if directory == ROOT else f"{directory}/"
            for name in names:
                loaded = self._load(Location(prefix + name), files)
                yield loaded
                outputs |= _outputs(loaded)
            inner = [Location(prefix + name) for name in dirs]
            pending.extend(found for found in reversed(inner) if found not in outputs)

    def _matters(self, directory: Entry) -> bool:
        """Whether a directory holds a DVC file at any depth."""
        known = self._relevant.get(directory.oid)
        if known is None:
            known = self._relevant[directory.oid] = any(
                self._matters(entry) if entry.mode == TREE else _is_dvc_name(name)
                for name, entry in self._trees.entries(directory.oid).items()
            )
        return known

    def _load(self, location: Location, files: TreeListing) -> PipelineFile | DataFile:
        loaded = self._loaded.setdefault((location, files.version(location)), _Loaded())
        known = loaded.find(files)
        if known is None and loaded.plain is not None:
            is_same = has_usable_params(location, files, yaml=self._yaml)
            known = loaded.plain if is_same else None
        if known is None:
            known = self._load_anew(location, files)
            loaded.add(known, files)
        return known

    def _load_anew(self, location: Location, files: TreeListing) -> PipelineFile | DataFile:
        if location.endswith(DATA_SUFFIX):
            return load_data_file(location, files.read(location), root=self._root)
        return load_pipeline(
            location, files, root=self._root, parsing=self._parsing, yaml=self._yaml
        )


class _Pattern(NamedTuple):
    """A tree whose DVC files were found, for others that differ little from it."""

    files: TreeFiles
    dvc_files: DvcFiles


class _Loaded:
    """What one text of a DVC file was loaded as, by the versions of what it read besides itself."""

    def __init__(self) -> None:
        self._known: dict[
            tuple[Location, ...], dict[tuple[str | None, ...], PipelineFile | DataFile]
        ] = {}
        self.plain: PipelineFile | None = None
        """What it is with any parameters that can be used."""

    def find(self, files: Listing) -> PipelineFile | DataFile | None:
        for read, by_versions in self._known.items():
            if found := by_versions.get(tuple(map(files.version, read))):
                return found
        return None

    def add(self, file: PipelineFile | DataFile, files: Listing) -> None:
        if isinstance(file, PipelineFile) and file.is_plain:
            self.plain = file
        read = tuple(sorted(file.read)) if isinstance(file, PipelineFile) else ()
        versions = tuple(map(files.version, read))
        self._known.setdefault(read, {})[versions] = file


def _read_for(file: PipelineFile | DataFile) -> frozenset[Location]:
    """What decides what a DVC file is loaded as."""
    read = file.read if isinstance(file, PipelineFile) else frozenset()
    return read | {file.location}


def _outputs(file: PipelineFile | DataFile) -> set[Location]:
    stages = file.stages if isinstance(file, PipelineFile) else (file.stage,)
    return {out.location for stage in stages for out in stage.outs}


def _decides_what_is_found(name: str) -> bool:
    return is_dvc_file(name) or name == DVCIGNORE


def _is_dvc_name(name: bytes) -> bool:
    return name.endswith(b".dvc") or name == b"dvc.yaml"
