"""The parameters, metrics, dependencies and outputs of a project, as ``dvc exp show`` finds them.

Which files count, in what order, and what is left out of them is decided as in DVC's
``repo/params/show.py``, ``repo/metrics/show.py`` and ``repo/experiments/serialize.py``.
"""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING

from exprun.errors import ExprunError, LockfileError, ParamsError, ProjectError
from exprun.formats.documents import load_document
from exprun.formats.reading import YamlReader, read_yaml
from exprun.lockfile.values import search_params
from exprun.model.paths import Location, is_url, join
from exprun.model.stage import OutputKind
from exprun.results.data import DataFiles
from exprun.results.state import Data, Failure, FileValues, Recorded, RecordedOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exprun.model.lock import LockedPath
    from exprun.results.reading import Description
    from exprun.store.cache import Store

_PARAMS = Location("params.yaml")
_DATASET = "ds://"
_CORRUPTED = {".json": "JSON", ".toml": "TOML", ".py": "Python"}


class Collector:
    """Collects what there is to show; documents that commits share are parsed once."""

    def __init__(self, store: Store, root: str, yaml: YamlReader = read_yaml) -> None:
        self._yaml = yaml
        self._store = store
        self._root = root
        self._documents: dict[tuple[str, str], object] = {}

    def collect(
        self, project: Description, rev: str, *, timestamp: str | None, param_deps: bool = False
    ) -> Data:
        """What a commit or the workspace holds. Raises LockfileError."""
        files = DataFiles(project, self._store)
        params = dict(self._params(project, files, param_deps=param_deps))
        params |= _variables(project, params)
        return Data(
            rev=rev,
            timestamp=timestamp,
            params=params,
            metrics=dict(self._metrics(project, files)),
            deps=self._deps(project),
            outs=self._outs(project),
            meta={},
        )

    def _params(
        self, project: Description, files: DataFiles, *, param_deps: bool
    ) -> Iterator[tuple[str, FileValues]]:
        for location, keys in _tracked_params(project, files, param_deps=param_deps).items():
            for file in files.expand(location):
                yield file, self._values(files, file, tuple(keys))

    def _values(self, files: DataFiles, file: Location, keys: tuple[str, ...]) -> FileValues:
        try:
            document = self._load(files, file)
            return FileValues(data=search_params(document, keys) if keys else document)
        except (OSError, ParamsError) as error:
            return FileValues(error=file_failure(error, file))

    def _metrics(self, project: Description, files: DataFiles) -> Iterator[tuple[str, FileValues]]:
        outs = (out for stage in project.stages() for out in stage.outs)
        named = [out.location for out in outs if out.kind is OutputKind.METRIC]
        named += [location for pipeline in project.pipelines for location in pipeline.metrics]
        for location in dict.fromkeys(named):
            for file in files.expand(location):
                try:
                    yield file, FileValues(data=_numbers(self._load(files, file)) or {})
                except (OSError, ParamsError) as error:
                    yield file, FileValues(error=file_failure(error, file))

    def _load(self, files: DataFiles, file: Location) -> object:
        version = files.version(file)
        if version is None:
            return load_document(files.read(file), name=file, yaml=self._yaml)
        key = (version, posixpath.splitext(file)[1])
        if key not in self._documents:
            self._documents[key] = load_document(files.read(file), name=file, yaml=self._yaml)
        return self._documents[key]

    def _deps(self, project: Description) -> dict[str, Recorded]:
        deps: dict[str, Recorded] = {}
        for stage in project.stages():
            recorded = _by_path(entry.deps) if (entry := project.entry(stage)) else {}
            for dep in stage.deps:
                if not (dep.source or dep.path.startswith(_DATASET)):
                    deps[self._shown(dep.location)] = _recorded(recorded.get(dep.path))
        return deps

    def _outs(self, project: Description) -> dict[str, RecordedOut]:
        outs: dict[str, RecordedOut] = {}
        for stage in project.stages():
            recorded = _by_path(entry.outs) if (entry := project.entry(stage)) else {}
            for out in stage.outs:
                if out.kind is OutputKind.OUT:
                    outs[self._shown(out.location)] = RecordedOut(
                        **_recorded(recorded.get(out.path)),
                        use_cache=out.cache,
                        is_data_source=stage.is_data_source,
                    )
        return outs

    def _shown(self, location: Location) -> str:
        """A location as DVC shows it: relative to the root, wherever it is."""
        if is_url(location):
            return location.partition("://")[2]
        return os.path.relpath(location, self._root) if os.path.isabs(location) else location


def _tracked_params(
    project: Description, files: DataFiles, *, param_deps: bool
) -> dict[Location, list[str]]:
    """The parameter files with the keys to show of each; none stands for all of them."""
    named: list[tuple[Location, tuple[str, ...]]] = [
        (file.location, file.keys) for stage in project.stages() for file in stage.params
    ]
    if not param_deps:
        named += [(location, ()) for pipe in project.pipelines for location in pipe.params]
        if files.exists(_PARAMS):
            named.append((_PARAMS, ()))
    whole = {location for location, keys in named if not keys}
    tracked: dict[Location, list[str]] = {}
    for location, keys in named:
        known = tracked.setdefault(location, [])
        if location not in whole:
            known.extend(key for key in keys if key not in known)
    return tracked


def _variables(project: Description, shown: Mapping[str, object]) -> dict[str, FileValues]:
    """What ``${…}`` took from files that are not shown anyway."""
    found: dict[str, dict[str, object]] = {}
    for stage in project.stages():
        for file, values in stage.tracked.items():
            location = join(Location("."), file)
            if location not in shown:
                found.setdefault(location, {}).update(values)
    return {location: FileValues(data=values) for location, values in found.items()}


def _numbers(value: object) -> object:
    """Of a metrics document what DVC takes for metrics: numbers and text, in nested maps."""
    if isinstance(value, (int, float, str)):
        return value
    if not isinstance(value, dict):
        return None
    inner = ((key, _numbers(below)) for key, below in value.items())
    return {key: number for key, number in inner if number is not None and number != {}}


def _by_path(recorded: Iterable[LockedPath]) -> dict[str, LockedPath]:
    return {item.path: item for item in recorded}


def _recorded(item: LockedPath | None) -> Recorded:
    if item is None:
        return Recorded(hash=None, size=None, nfiles=None)
    if item.content is not None:
        content = item.content
        return Recorded(hash=content.oid, size=content.size, nfiles=content.nfiles)
    extra = item.extra
    names = ("etag", "checksum", "md5", "version_id")
    return Recorded(
        hash=next((str(extra[name]) for name in names if name in extra), None),
        size=_count(extra.get("size")),
        nfiles=_count(extra.get("nfiles")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def file_failure(error: OSError | ParamsError, file: Location) -> Failure:
    """Why a params or metrics file is not shown, in DVC's words."""
    if isinstance(error, OSError):
        reason = error.strerror or os.strerror(error.errno or 2)
        return Failure(type=_os_name(error), msg=f"[Errno {error.errno or 2}] {reason}: '{file}'")
    kind = _CORRUPTED.get(posixpath.splitext(file)[1].lower(), "YAML")
    return Failure(
        type=f"{kind}FileCorruptedError",
        msg=f"unable to read: '{file}', {kind} file structure is corrupted",
    )


def _os_name(error: OSError) -> str:
    return type(error).__name__ if error.errno else "FileNotFoundError"


def project_failure(error: ExprunError) -> Failure:
    """Why a whole commit is not shown; the type is what DVC's closest exception is called."""
    if isinstance(error, LockfileError):
        kind = "LockfileCorruptedError"
    elif isinstance(error, ProjectError):
        syntax = re.search(r"invalid YAML|YAML", error.message) is not None
        kind = "YAMLSyntaxError" if syntax else "YAMLValidationError"
    else:
        kind = type(error).__name__
    return Failure(msg=str(error), type=kind)
