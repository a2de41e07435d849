"""A stage of a pipeline, resolved: what dvc.yaml or a .dvc file says once templating is done."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from exprun.model.paths import is_outside
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.paths import Location


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


def _untracked() -> Mapping[str, Mapping[str, object]]:
    return MappingProxyType({})


class StageId(NamedTuple):
    """What identifies a stage in a project: its file, and its name unless that is a .dvc file."""

    file: Location
    name: str | None


class OutputKind(Enum):
    """The list of dvc.yaml an output was named in."""

    OUT = "outs"
    METRIC = "metrics"
    PLOT = "plots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A file or directory that a stage reads.

    `path` is the spelling relative to the stage's wdir. `source` holds what a .dvc file adds for an
    import (keys ``repo``, ``db``, ``fs_config``, …) and is None for an ordinary dependency.
    """

    path: str
    location: Location
    source: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamsFile:
    """The parameters a stage reads from one file; no `keys` means the whole file."""

    path: str
    location: Location
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file or directory that a stage makes."""

    path: str
    location: Location
    kind: OutputKind = OutputKind.OUT
    cache: bool = True
    persist: bool = False
    push: bool = True
    remote: str | None = None
    desc: str | None = None
    type: str | None = None
    labels: tuple[str, ...] = ()
    meta: object = None
    props: Mapping[str, object] = field(default_factory=_nothing)

    @property
    def is_kept_in_cache(self) -> bool:
        """Whether its content goes into the cache: what lies outside of the project cannot."""
        return self.cache and not is_outside(self.location)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage. A stage of a .dvc file has no name, and a command only in legacy files."""

    name: str | None
    file: Location
    wdir: Location
    cmd: str | tuple[str, ...] | None = None
    deps: tuple[Dependency, ...] = ()
    params: tuple[ParamsFile, ...] = ()
    outs: tuple[Output, ...] = ()
    frozen: bool = False
    always_changed: bool = False
    desc: str | None = None
    meta: object = None
    definition: Mapping[str, object] = field(default_factory=_nothing, compare=False)
    """The stage as dvc.yaml would spell it after resolution."""
    tracked: Mapping[str, Mapping[str, object]] = field(default_factory=_untracked, compare=False)
    """What ``${…}`` took from parameter files: file as DVC names it -> dotted key -> value."""

    @property
    def id(self) -> StageId:
        return StageId(self.file, self.name)

    @property
    def is_pipeline_stage(self) -> bool:
        """Whether the stage comes from a dvc.yaml, not from a .dvc file."""
        return self.name is not None

    @property
    def is_data_source(self) -> bool:
        """Whether the stage has no command: added or imported data."""
        return self.cmd is None

    @property
    def has_only_data(self) -> bool:
        """Whether the stage is a .dvc file without a command."""
        return self.name is None and self.cmd is None

    @property
    def is_import(self) -> bool:
        return not self.cmd and len(self.deps) == 1 and len(self.outs) == 1 and not self.params

    @property
    def is_callback(self) -> bool:
        """Whether DVC runs the stage every time: a command without dependencies and outputs."""
        return bool(self.cmd) and not (self.deps or self.params or self.outs)
