"""A .dvc file: a single stage without a name, and what it records about its data.

`load_data_file` reads one, `update_data_file` gives its text after new hashes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from exprun.errors import PipelineError
from exprun.formats.emit import emit_mapping
from exprun.formats.plain import NotSimple
from exprun.formats.reading import YamlReader, read_yaml
from exprun.formats.text import DEFAULT_LIMITS, Limits, decode
from exprun.model.lock import LockedPath, LockedStage
from exprun.model.paths import Location, parent
from exprun.model.recorded import recorded_content
from exprun.model.stage import Dependency, Output, Stage
from exprun.model.values import dataclass
from exprun.pipeline.datafile_dump import CONTENT_KEYS, META_KEYS, dump_stage, is_external
from exprun.pipeline.datafile_schema import check_data_file
from exprun.pipeline.problem import Problem
from exprun.pipeline.spelling import is_dvc_file, located, spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCE_KEYS = ("repo", "db", "fs_config")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A .dvc file as read. `md5` is what it says about itself; only imports have one.

    `recorded` has one entry for each dependency and output of `stage`, in the same order.
    """

    location: Location
    stage: Stage
    recorded: LockedStage
    md5: str | None = None
    text: str = ""


def load_data_file(
    location: Location,
    data: bytes,
    *,
    root: str,
    limits: Limits = DEFAULT_LIMITS,
    yaml: YamlReader = read_yaml,
) -> DataFile:
    """The .dvc file whose bytes are `data`.

    `root` is the absolute root of the project, only compared with absolute paths in the file.
    Raises PipelineError, with the line.
    """
    text = decode(data, name=location, error=PipelineError, limits=limits)
    document: Any = yaml(text, name=location, error=PipelineError, limits=limits) or {}
    try:
        check_data_file(document)
        return _data_file(location, document, text, root)
    except Problem as problem:
        from exprun.formats.lines import line_of

        where = f"{location}:{line_of(text, problem.path)}"
        raise PipelineError(problem.message, where=where, hint=problem.hint) from None


def _data_file(location: Location, document: dict[str, Any], text: str, root: str) -> DataFile:
    wdir = located(document.get("wdir") or ".", parent(location), root)
    dep_entries = document.get("deps") or ()
    out_entries = document.get("outs") or ()
    deps = tuple(
        _dependency(entry, ("deps", index), wdir, root) for index, entry in enumerate(dep_entries)
    )
    outs = tuple(
        _output(entry, ("outs", index), wdir, root) for index, entry in enumerate(out_entries)
    )
    stage = Stage(
        name=None,
        file=location,
        wdir=wdir,
        deps=deps,
        outs=outs,
        frozen=document.get("locked", False) or document.get("frozen", False),
        always_changed=document.get("always_changed", False),
        desc=document.get("desc"),
        meta=document.get("meta"),
    )
    recorded = LockedStage(
        deps=tuple(_recorded(*pair) for pair in zip(deps, dep_entries, strict=True)),
        outs=tuple(_recorded(*pair) for pair in zip(outs, out_entries, strict=True)),
    )
    md5 = document.get("md5")
    return DataFile(
        location=location,
        stage=stage,
        recorded=recorded,
        md5=str(md5) if md5 else None,
        text=text,
    )


def _dependency(
    entry: Mapping[str, Any], place: tuple[str | int, ...], wdir: Location, root: str
) -> Dependency:
    source = {key: entry[key] for key in _SOURCE_KEYS if key in entry} or None
    path = entry.get("path")
    if "db" in entry:
        return Dependency(path=path or "", location=Location("db://"), source=source)
    if not path:
        raise Problem("a dependency needs a path", place)
    if is_dvc_file(path):
        raise Problem(f"DVC file '{path}' cannot be a dependency", place)
    text, location = spelled(path, wdir, root)
    return Dependency(path=text, location=location, source=source)


def _output(
    entry: Mapping[str, Any], place: tuple[str | int, ...], wdir: Location, root: str
) -> Output:
    path = entry.get("path")
    if path is None:
        raise Problem("an output needs a path", place)
    if is_dvc_file(path):
        raise Problem(f"DVC file '{path}' cannot be an output", place)
    text, location = spelled(path, wdir, root)
    return Output(
        path=text,
        location=location,
        cache=entry.get("cache", True),
        persist=entry.get("persist", False),
        push=entry.get("push", True),
        remote=entry.get("remote"),
        desc=entry.get("desc"),
        type=entry.get("type"),
        labels=tuple(entry.get("labels") or ()),
        meta=entry.get("meta"),
    )


def _recorded(item: Dependency | Output, entry: Mapping[str, Any]) -> LockedPath:
    """What `entry` records about `item`.

    Inside the project an entry without ``hash`` is DVC 2's, whose MD5 is of another kind.
    """
    extra = {key: entry[key] for key in (*META_KEYS, "files") if key in entry}
    content = recorded_content(entry, legacy="hash" not in entry and not is_external(item))
    if content is None:
        extra |= {key: entry[key] for key in ("hash", *CONTENT_KEYS) if key in entry}
    return LockedPath(path=item.path, content=content, extra=extra)


def update_data_file(file: DataFile, recorded: LockedStage) -> bytes:
    """The file's bytes once it records `recorded`, as DVC writes it: comments stay.

    `recorded` has one entry for each dependency and output of the stage, in the same order.
    Raises PipelineError when the text cannot be read again.
    """
    state = dump_stage(file.stage, recorded)
    if not _is_text_of(state, file.text):
        from exprun.pipeline.datafile_text import rewrite

        return rewrite(file.text, state, name=file.location).encode()
    return file.text.encode()


def _is_text_of(state: Mapping[str, object], text: str) -> bool:
    """Whether `text` surely is what DVC would write of `state`, over whatever it was before."""
    with suppress(NotSimple):
        return bool(state) and emit_mapping(state, 0, stable=True) == text
    return False
