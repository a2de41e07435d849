"""An entry of dvc.lock as plain data in DVC's order, and how a stage's new one is built."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from exprun.errors import LockfileError, MissingDependency
from exprun.lockfile.schema import Unacceptable, check_entry
from exprun.lockfile.values import require_params
from exprun.model.lock import LockedPath, LockedStage
from exprun.model.paths import is_outside, spell
from exprun.model.recorded import recorded_content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.lock import Content
    from exprun.model.paths import Location
    from exprun.model.stage import Dependency, Output, ParamsFile, Stage

DEFAULT_PARAMS_FILE = "params.yaml"

_PATH = attrgetter("path")

_CONTENT_KEYS = frozenset(("path", "hash", "md5", "size", "nfiles", "isexec"))


def to_data(locked: LockedStage) -> dict[str, object]:
    """`locked` as dvc.lock spells it."""
    cmd = locked.cmd
    data: dict[str, object] = {"cmd": list(cmd) if isinstance(cmd, tuple) else cmd}
    if locked.deps:
        data["deps"] = [_path_to_data(dep) for dep in locked.deps]
    if locked.params:
        data["params"] = {file: dict(values) for file, values in locked.params.items()}
    if locked.outs:
        data["outs"] = [_path_to_data(out) for out in locked.outs]
    return data


def _path_to_data(locked: LockedPath) -> dict[str, object]:
    data: dict[str, object] = {"path": locked.path}
    content = locked.content
    if content is not None:
        if not content.legacy:
            data["hash"] = "md5"
    if content is not None and "files" not in locked.extra:
        data["md5"] = content.oid
        if content.size is not None:
            data["size"] = content.size
        if content.nfiles is not None:
            data["nfiles"] = content.nfiles
        if content.isexec:
            data["isexec"] = True
    if locked.extra:
        data.update(locked.extra)
    return data


def from_data(data: object, where: str) -> LockedStage:
    """The entry that `data` spells; raises LockfileError with `where` for what DVC refuses."""
    try:
        check_entry(data)
    except Unacceptable as failure:
        spelled = ".".join(map(str, failure.path))
        message = f"{failure.problem}: {spelled}" if spelled else failure.problem
        raise LockfileError(message, where=where) from None
    return from_checked(data)


def from_checked(data: Any) -> LockedStage:
    """The entry that `data` spells, which `schema.check_entry` has accepted."""
    cmd = data["cmd"]
    return LockedStage(
        cmd=tuple(cmd) if isinstance(cmd, list) else cmd,
        deps=tuple(map(_path_from_data, data.get("deps", ()))),
        params=data.get("params", {}),
        outs=tuple(map(_path_from_data, data.get("outs", ()))),
    )


def _path_from_data(data: dict[str, Any]) -> LockedPath:
    path, content = data["path"], recorded_content(data, legacy=data.get("hash") is None)
    if content is None:
        return LockedPath(path=path, extra={key: data[key] for key in data if key != "path"})
    if data.keys() <= _CONTENT_KEYS:
        return LockedPath(path=path, content=content)
    extra = {key: value for key, value in data.items() if key not in _CONTENT_KEYS}
    return LockedPath(path=path, content=content, extra=extra)


def build_entry(
    stage: Stage,
    contents: Mapping[Location, Content],
    params: Mapping[Location, Mapping[str, object]],
    *,
    recorded: LockedStage | None = None,
    extras: Mapping[Location, Mapping[str, object]] | None = None,
) -> LockedStage:
    """What dvc.lock has to say about `stage` now.

    `contents` tells what its dependencies and outputs hold; an output that is not in it is recorded
    by its path only. `params` are the values of its parameter files. `recorded` is the entry so
    far: an output that did not change keeps what it says about a versioned remote. `extras` gives
    the keys of dependencies that have no content of ours (datasets, ETags).

    Raises MissingDependency, and ParamsError for a parameter that is missing.
    """
    extras = extras or {}
    versions = {out.path: out for out in recorded.outs if "cloud" in out.extra} if recorded else {}
    deps = sorted(stage.deps, key=_PATH)
    outs = sorted(stage.outs, key=_PATH)
    return LockedStage(
        cmd=stage.cmd,
        deps=tuple(_lock_dependency(dep, contents, extras) for dep in deps),
        params=_lock_params(stage, params),
        outs=tuple(_lock_output(out, contents, versions.get(out.path)) for out in outs),
    )


def _lock_dependency(
    dep: Dependency,
    contents: Mapping[Location, Content],
    extras: Mapping[Location, Mapping[str, object]],
) -> LockedPath:
    extra = extras.get(dep.location, {})
    content = contents.get(dep.location)
    if content is None and not extra:
        raise MissingDependency(f"dependency '{dep.location}' does not exist")
    return LockedPath(path=dep.path, content=content, extra=extra)


def _lock_output(
    out: Output, contents: Mapping[Location, Content], recorded: LockedPath | None
) -> LockedPath:
    content = contents.get(out.location)
    if content is None:
        return LockedPath(path=out.path, extra={"hash": "md5"})
    if recorded is not None and not content.is_dir and content.same_data(recorded.content):
        return recorded
    return LockedPath(path=out.path, content=content)


def _lock_params(
    stage: Stage, params: Mapping[Location, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """The values of each file, DVC's default file first, the keys sorted, values as they are."""
    locked: dict[str, dict[str, object]] = {}
    for file in sorted(stage.params, key=_PATH):
        if file.location not in params:
            raise MissingDependency(f"dependency '{file.location}' does not exist")
        values = require_params(params[file.location], file)
        locked[params_key(stage, file)] = {key: values[key] for key in sorted(values)}
    if DEFAULT_PARAMS_FILE in locked:
        locked = {DEFAULT_PARAMS_FILE: locked[DEFAULT_PARAMS_FILE]} | locked
    return locked


def params_key(stage: Stage, file: ParamsFile) -> str:
    """The key that dvc.lock has the values of `file` under.

    DVC writes the normalised path but looks for the one in dvc.yaml; where they differ it finds no
    values, and the stage is always changed.
    """
    if is_outside(file.location) or is_outside(stage.wdir):
        return file.path
    return spell(file.location, start=stage.wdir)
