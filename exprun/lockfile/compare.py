"""Is a stage changed, and why: what its entry says against what is there now.

Pure: what is there is asked of a `Probe`, one path at a time, in DVC's order. Both ways to look are
generators, so that who only needs to know whether there is a change asks for the first one.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from exprun.lockfile.datasets import dataset_of, is_dataset
from exprun.lockfile.values import select_params
from exprun.model.lock import Content
from exprun.model.paths import is_outside
from exprun.model.values import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exprun.lockfile.datasets import Dataset
    from exprun.model.lock import LockedPath, LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Dependency, Output, ParamsFile, Stage


class ChangeKind(Enum):
    """What changed."""

    COMMAND = "command"
    CHECKSUM = "checksum"
    ALWAYS = "always"
    DEPENDENCY = "dep"
    PARAM = "param"
    OUTPUT = "out"


class How(Enum):
    """How it changed, in DVC's words."""

    MODIFIED = "modified"
    DELETED = "deleted"
    NEW = "new"
    NOT_IN_CACHE = "not in cache"
    UPDATE_AVAILABLE = "update available"
    NOT_IN_SYNC = "not in sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One reason to run a stage.

    `old` and `new` are the command, the value of the parameter `key`, or what the path holds
    (`Content`), None where there is none. A PARAM without a key is about its whole file. `label` is
    what to call the path where its location does not tell.
    """

    kind: ChangeKind
    how: How = How.MODIFIED
    location: Location | None = None
    key: str | None = None
    old: object = None
    new: object = None
    label: str | None = None


class Probe(Protocol):
    """What the files of a project hold now."""

    def content(self, location: Location, *, legacy: bool) -> Content | None:
        """What is at `location`, hashed as DVC 2 did if `legacy`; None if nothing is."""

    def params(self, location: Location) -> Mapping[str, object] | None:
        """The values of a parameters file, None if it does not exist.

        Raises ParamsError for a file that cannot be read.
        """

    def has_objects(self, content: Content) -> bool:
        """Whether the cache holds `content`, for a directory all files of it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """What decides about dependencies that are no files of the project.

    `datasets`: those of the project, by name. `has_update`: whether the source of an import has
    moved on; None: do not look.
    """

    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    has_update: Callable[[Dependency], bool] | None = None


NOTHING_EXTERNAL = External()


def changes(
    stage: Stage,
    locked: LockedStage | None,
    probe: Probe,
    *,
    allow_missing: bool = False,
    upstream: Mapping[Location, Content | None] | None = None,
    checksum_changed: bool = False,
    external: External = NOTHING_EXTERNAL,
) -> Iterator[Change]:
    """Why `stage` has to run, in DVC's order of asking; nothing if it need not.

    With `allow_missing`, data that is missing is no reason, unless `upstream`, what the outputs of
    the stages that this one waits for are recorded to hold, says that it will be other data.
    `checksum_changed`: the MD5 that a .dvc file has of itself is not the right one.
    Raises what `probe` raises.
    """
    yield from _definition_changes(stage, locked, checksum_changed)
    if not stage.frozen:
        if stage.is_callback or stage.always_changed:
            yield Change(kind=ChangeKind.ALWAYS)
        for change in dependency_changes(stage, locked, probe, external):
            counted = _without_excuse(change, upstream or {}) if allow_missing else change
            if counted is not None:
                yield counted
    for change in output_changes(stage, locked, probe):
        if not (allow_missing and change.how in (How.NOT_IN_CACHE, How.DELETED)):
            yield change


def status(
    stage: Stage,
    locked: LockedStage | None,
    probe: Probe,
    *,
    checksum_changed: bool = False,
    external: External = NOTHING_EXTERNAL,
) -> Iterator[Change]:
    """All that ``dvc status`` tells about `stage`, in its order."""
    if not stage.frozen or (external.has_update and _is_repo_import(stage)):
        yield from dependency_changes(stage, locked, probe, external)
    yield from output_changes(stage, locked, probe)
    if stage.is_callback or stage.always_changed:
        yield Change(kind=ChangeKind.ALWAYS)
    yield from _definition_changes(stage, locked, checksum_changed)


def _definition_changes(
    stage: Stage, locked: LockedStage | None, checksum_changed: bool
) -> Iterator[Change]:
    if not stage.is_pipeline_stage:
        if checksum_changed:
            yield Change(kind=ChangeKind.CHECKSUM)
    elif locked is not None and locked.cmd != stage.cmd:
        yield Change(kind=ChangeKind.COMMAND, old=locked.cmd, new=stage.cmd)


def dependency_changes(
    stage: Stage, locked: LockedStage | None, probe: Probe, external: External = NOTHING_EXTERNAL
) -> Iterator[Change]:
    """The dependencies, then the parameters of `stage` that are not as recorded."""
    recorded = {dep.path: dep for dep in locked.deps} if locked else {}
    for dep in stage.deps:
        yield from _dependency_change(dep, recorded.get(dep.path), probe, external)
    for file in stage.params:
        yield from _param_changes(file, locked, probe)


def _dependency_change(
    dep: Dependency, recorded: LockedPath | None, probe: Probe, external: External
) -> Iterator[Change]:
    kind, location = ChangeKind.DEPENDENCY, dep.location
    if dep.source is not None and "repo" in dep.source:
        if external.has_update and external.has_update(dep):
            label = f"{dep.path} ({_url(dep.source['repo'])})"
            yield Change(kind=kind, how=How.UPDATE_AVAILABLE, location=location, label=label)
    elif is_dataset(dep):
        how = _dataset_change(dep, recorded, external.datasets)
        if how is not None:
            yield Change(kind=kind, how=how, location=location, label=dep.path)
    else:
        yield from _path_change(kind, location, recorded, probe)


def _dataset_change(
    dep: Dependency, recorded: LockedPath | None, datasets: Mapping[str, Dataset]
) -> How | None:
    current = dataset_of(dep, datasets).content
    if current is None:
        return How.NOT_IN_SYNC
    known = recorded.extra.get("dataset") if recorded else None
    if not known:
        return How.NEW
    return None if known == current else How.MODIFIED


def _path_change(
    kind: ChangeKind, location: Location, recorded: LockedPath | None, probe: Probe
) -> Iterator[Change]:
    old = recorded.content if recorded else None
    # DVC 2's hash was for the project's own files; outside of it an entry is never a legacy one.
    legacy = old is not None and old.legacy and not is_outside(location)
    new = probe.content(location, legacy=legacy)
    if new is None:
        yield Change(kind=kind, how=How.DELETED, location=location, old=old)
    elif _recorded_name(recorded) != new.oid:
        yield Change(kind=kind, how=How.MODIFIED, location=location, old=old, new=new)


def _recorded_name(recorded: LockedPath | None) -> object:
    """The hash in an entry; remote files have an ETag or another checksum in its place."""
    if recorded is None:
        return None
    if recorded.content is not None:
        return recorded.content.oid
    return recorded.extra.get("etag") or recorded.extra.get("checksum")


def _param_changes(file: ParamsFile, locked: LockedStage | None, probe: Probe) -> Iterator[Change]:
    kind, location = ChangeKind.PARAM, file.location
    values = probe.params(location)
    recorded = locked.params.get(file.path) if locked else None
    if values is None:
        yield Change(kind=kind, how=How.DELETED, location=location)
        return
    if recorded is None:
        yield Change(kind=kind, how=How.NEW, location=location)
        return
    actual = select_params(values, file)
    for key in file.keys or dict.fromkeys((*actual, *recorded)):
        old, new = recorded.get(key), actual.get(key)
        if key not in actual:
            how = How.DELETED
        elif key not in recorded:
            how = How.NEW
        elif _equal(new, old):
            continue
        else:
            how = How.MODIFIED
        yield Change(kind=kind, how=how, location=location, key=key, old=old, new=new)


def _equal(new: object, old: object) -> bool:
    return new == old or (isinstance(new, tuple) and list(new) == old)


def output_changes(stage: Stage, locked: LockedStage | None, probe: Probe) -> Iterator[Change]:
    """The outputs of `stage` that are not as recorded."""
    recorded = {out.path: out for out in locked.outs} if locked else {}
    for out in stage.outs:
        yield from _output_change(out, recorded.get(out.path), probe)


def _output_change(out: Output, recorded: LockedPath | None, probe: Probe) -> Iterator[Change]:
    kind = ChangeKind.OUTPUT
    content = recorded.content if recorded else None
    if content is not None and out.cache and not probe.has_objects(content):
        yield Change(kind=kind, how=How.NOT_IN_CACHE, location=out.location, old=content)
    else:
        yield from _path_change(kind, out.location, recorded, probe)


def _without_excuse(change: Change, upstream: Mapping[Location, Content | None]) -> Change | None:
    """A change of a dependency as ``--allow-missing`` sees it."""
    if change.how is not How.DELETED or change.key is not None or change.location is None:
        return change
    if change.location not in upstream:
        return None
    made = upstream[change.location]
    if change.kind is ChangeKind.DEPENDENCY and _names(change.old) == _names(made):
        return None
    return replace(change, how=How.MODIFIED, new=made)


def _names(content: object) -> tuple[object, ...]:
    return (content.oid, content.legacy) if isinstance(content, Content) else ()


def _is_repo_import(stage: Stage) -> bool:
    if not stage.is_import:
        return False
    source = stage.deps[0].source
    return source is not None and "repo" in source


def _url(repo: object) -> object:
    return repo.get("url") if isinstance(repo, dict) else repo
