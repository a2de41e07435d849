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
from exprun.results.data import DataFiles
from exprun.results.state import Data, Failure, FileValues
from exprun.results.tracked import DEFAULT_PARAMS, Tracked, tracked_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.model.paths import Location
    from exprun.results.reading import Description, DvcFiles
    from exprun.store.cache import Store

_CORRUPTED = {".json": "JSON", ".toml": "TOML", ".py": "Python"}


class Collector:
    """Collects what there is to show; documents that commits share are parsed once."""

    def __init__(self, store: Store, root: str, yaml: YamlReader = read_yaml) -> None:
        self._yaml = yaml
        self._store = store
        self._root = root
        self._documents: dict[tuple[str, str], object] = {}
        self._last: tuple[DvcFiles, tuple[bool, bool], Tracked] | None = None

    def collect(
        self, project: Description, rev: str, *, timestamp: str | None, param_deps: bool = False
    ) -> Data:
        """What a commit or the workspace holds. Raises LockfileError."""
        files = DataFiles(project, self._store)
        tracked = self._tracked(project, files, param_deps)
        params = dict(self._params(tracked, files))
        entries = [(stage, project.entry(stage.stage)) for stage in tracked.stages]
        return Data(
            rev=rev,
            timestamp=timestamp,
            params=params | {k: v for k, v in tracked.variables.items() if k not in params},
            metrics=dict(self._metrics(tracked, files)),
            deps={k: v for stage, entry in entries for k, v in stage.recorded_deps(entry)},
            outs={k: v for stage, entry in entries for k, v in stage.recorded_outs(entry)},
            meta={},
        )

    def _tracked(self, project: Description, files: DataFiles, param_deps: bool) -> Tracked:
        """What is to be collected; experiments mostly have their DVC files in common."""
        default_params = files.exists(DEFAULT_PARAMS)
        key = (param_deps, default_params)
        if self._last is None or self._last[0] is not project.dvc_files or self._last[1] != key:
            tracked = tracked_by(
                project, self._root, param_deps=param_deps, default_params=default_params
            )
            self._last = project.dvc_files, key, tracked
        return self._last[2]

    def _params(self, tracked: Tracked, files: DataFiles) -> Iterator[tuple[str, FileValues]]:
        for location, keys in tracked.params.items():
            for file in files.expand(location):
                yield file, self._values(files, file, keys)

    def _values(self, files: DataFiles, file: Location, keys: tuple[str, ...]) -> FileValues:
        try:
            document = self._load(files, file)
            return FileValues(data=search_params(document, keys) if keys else document)
        except (OSError, ParamsError) as error:
            return FileValues(error=file_failure(error, file))

    def _metrics(self, tracked: Tracked, files: DataFiles) -> Iterator[tuple[str, FileValues]]:
        for location in tracked.metrics:
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


def _numbers(value: object) -> object:
    """Of a metrics document what DVC takes for metrics: numbers and text, in nested maps."""
    if isinstance(value, (int, float, str)):
        return value
    if not isinstance(value, dict):
        return None
    inner = ((key, _numbers(below)) for key, below in value.items())
    return {key: number for key, number in inner if number is not None and number != {}}


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
