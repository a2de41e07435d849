"""A resolved definition of dvc.yaml as a Stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from exprun.model.stage import Dependency, Output, OutputKind, ParamsFile, Stage
from exprun.pipeline.context import DEFAULT_PARAMS
from exprun.pipeline.problem import Problem
from exprun.pipeline.schema import PLOT_PROPS
from exprun.pipeline.spelling import is_dvc_file, located, spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.paths import Location

_KINDS = (OutputKind.OUT, OutputKind.METRIC, OutputKind.PLOT)


def build_stage(
    name: str,
    definition: Mapping[str, Any],
    *,
    file: Location,
    directory: Location,
    root: str,
    tracked: Mapping[str, Mapping[str, object]],
) -> Stage:
    """The stage of a resolved definition; raises Problem for values only templating can bring.

    Templating can also make `cmd` a number or a map. DVC loads such a stage and fails when it runs
    it, so the value is kept here although the type does not provide for it.
    """
    cmd = definition["cmd"]
    wdir = _working_directory(definition.get("wdir"), directory, root)
    return Stage(
        name=name,
        file=file,
        wdir=wdir,
        cmd=tuple(cmd) if isinstance(cmd, list) else cast("str | None", cmd),
        deps=tuple(
            _dependency(path, index, wdir, root)
            for index, path in enumerate(definition.get("deps", ()))
        ),
        params=_params(definition["params"], wdir, root) if "params" in definition else (),
        outs=tuple(
            output
            for kind in _KINDS
            if (entries := definition.get(kind.value))
            for output in _outputs(entries, kind, wdir, root)
        ),
        frozen=definition.get("frozen", False),
        always_changed=definition.get("always_changed", False),
        desc=definition.get("desc"),
        meta=definition.get("meta"),
        definition=definition,
        tracked=tracked,
    )


def _working_directory(wdir: object, directory: Location, root: str) -> Location:
    if not wdir:
        return directory
    if not isinstance(wdir, str):
        raise Problem(f"the working directory must be text, not {wdir!r}", ("wdir",))
    return located(wdir, directory, root)


def _checked(path: object, what: str, place: tuple[str | int, ...]) -> str:
    if not isinstance(path, str) or not path:
        raise Problem(f"the path of {what} must be text, not {path!r}", place)
    if is_dvc_file(path):
        raise Problem(f"DVC file '{path}' cannot be {what}", place)
    return path


def _dependency(path: object, index: int, wdir: Location, root: str) -> Dependency:
    text, location = spelled(_checked(path, "a dependency", ("deps", index)), wdir, root)
    return Dependency(path=text, location=location)


def _params(entries: list[object], wdir: Location, root: str) -> tuple[ParamsFile, ...]:
    """The parameter files of a stage: keys of one file are joined, a whole file wins."""
    whole = {
        file
        for entry in entries
        if isinstance(entry, dict)
        for file, keys in entry.items()
        if not keys
    }
    files: dict[str, list[str]] = {}
    for index, entry in enumerate(entries):
        place = ("params", index)
        if isinstance(entry, str):
            if DEFAULT_PARAMS not in whole:
                files.setdefault(DEFAULT_PARAMS, []).append(entry)
            continue
        if not isinstance(entry, dict):
            raise Problem(f"expected the name of a parameter or a map, got {entry!r}", place)
        for file, keys in entry.items():
            files.setdefault(_checked(file, "a dependency", place), []).extend(
                () if file in whole else _keys(file, keys, place)
            )
    return tuple(_params_file(path, tuple(keys), wdir, root) for path, keys in files.items())


def _keys(file: str, keys: object, place: tuple[str | int, ...]) -> list[str]:
    if not isinstance(keys, list):
        raise Problem(f"expected a list of parameters of '{file}', got {keys!r}", place)
    for key in keys:
        if not isinstance(key, str):
            raise Problem(f"the name of a parameter must be text, not {key!r}: quote it", place)
    return keys


def _params_file(path: str, keys: tuple[str, ...], wdir: Location, root: str) -> ParamsFile:
    text, location = spelled(path, wdir, root)
    return ParamsFile(path=text, location=location, keys=keys)


def _outputs(entries: list[object], kind: OutputKind, wdir: Location, root: str) -> list[Output]:
    """The outputs of one list; options of a path that is named twice are joined."""
    merged: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(entries):
        place = (kind.value, index)
        if isinstance(entry, str):
            merged.setdefault(_checked(entry, "an output", place), {})
            continue
        if not isinstance(entry, dict):
            raise Problem(f"the path of an output must be text, not {entry!r}", place)
        for path, options in entry.items():
            if not isinstance(options, dict):
                raise Problem(f"expected a map of options for '{path}'", place)
            merged.setdefault(_checked(path, "an output", place), {}).update(options)
    return [_output(path, options, kind, wdir, root) for path, options in merged.items()]


def _output(
    path: str, options: Mapping[str, Any], kind: OutputKind, wdir: Location, root: str
) -> Output:
    text, location = spelled(path, wdir, root)
    if not options:
        return Output(path=text, location=location, kind=kind)
    props = {name: options[name] for name in PLOT_PROPS if name in options}
    return Output(
        path=text,
        location=location,
        kind=kind,
        cache=options.get("cache", True),
        persist=options.get("persist", False),
        push=options.get("push", True),
        remote=options.get("remote"),
        desc=options.get("desc"),
        type=options.get("type"),
        labels=tuple(options.get("labels") or ()),
        meta=options.get("meta"),
        props=props,
    )
