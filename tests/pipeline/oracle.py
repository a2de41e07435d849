"""Loads project files with DVC and with exprun, in one comparable shape."""

from __future__ import annotations

import os
import shutil
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exprun.errors import PipelineError
from exprun.model.paths import Location
from exprun.pipeline.datafile import load_data_file
from exprun.pipeline.load import load_pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exprun.model.lock import LockedPath
    from exprun.model.stage import Stage
    from exprun.pipeline.pipeline_file import PipelineFile
    from exprun.pipeline.unpacking import ParsingOptions

Sources = dict[str, str]
Changes = dict[str, tuple[str, int, int | None, bool]]
"""Path -> MD5, size, number of files of a directory, whether executable."""

FAILS = "fails to load"


@dataclass(frozen=True)
class DictFiles:
    """Files in memory."""

    contents: Mapping[str, str | bytes]

    def read(self, location: Location) -> bytes:
        try:
            content = self.contents[location]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", location) from None
        return content if isinstance(content, bytes) else content.encode()

    def is_file(self, location: Location) -> bool:
        return location in self.contents

    def is_dir(self, location: Location) -> bool:
        prefix = "" if location == "." else f"{location}/"
        return any(name.startswith(prefix) for name in self.contents)


@dataclass(frozen=True)
class Oracle:
    """A DVC project whose files are replaced for every question."""

    root: Path
    repo: Any

    @classmethod
    def create(cls, root: Path) -> Oracle:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from dvc.repo import Repo

            return cls(root, Repo.init(str(root), no_scm=True))

    def clear(self) -> None:
        for name in os.listdir(self.root):
            if name not in (".dvc", ".dvcignore"):
                path = self.root / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def write(self, sources: Sources) -> None:
        for name, text in sources.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def index(self, file: str) -> Any:
        """DVC's index of one file, which loads all of its stages; raises whatever DVC raises."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from dvc.repo.index import Index

            self.repo.__dict__.pop("dvcignore", None)
            return Index.from_file(self.repo, str(self.root / file))

    def load(
        self, sources: Sources, file: str = "dvc.yaml", parsing: dict[str, str] | None = None
    ) -> object:
        """What DVC makes of `file`, or FAILS."""
        self.write(sources)
        self.repo.config["parsing"] = parsing or {}
        try:
            index = self.index(file)
            resolver = self._resolver(file)
            definitions: dict[str, Any] = {}
            for name in resolver.get_keys():
                definitions |= resolver.resolve_one(name)
        except Exception:  # DVC also crashes on some files; then they do not load either
            return FAILS
        return {
            "order": list(definitions),
            "stages": {
                stage.name: {
                    "definition": definitions[stage.name],
                    "tracked": {
                        file: dict(values)
                        for file, values in resolver.tracked_vars[stage.name].items()
                    },
                    **self.facts(stage),
                }
                for stage in index.stages
            },
            "metrics": self._locations(index._metrics, file),
            "params": self._locations(index._params, file),
            "artifacts": next(iter(index._artifacts.values()), {}),
            "datasets": next(iter(index._datasets.values()), []),
        }

    def load_data(self, text: str, file: str) -> object:
        """What DVC makes of a .dvc file, or FAILS."""
        self.write({file: text})
        try:
            (stage,) = self.index(file).stages
        except Exception:  # as in `load`
            return FAILS
        return {
            **self.facts(stage),
            "md5": stage.md5 or None,
            "recorded": [_record(item) for item in (*stage.deps, *stage.outs)],
        }

    def plot_sources(self, sources: Sources) -> list[str]:
        """The data files of all top-level plots of the project."""
        self.write(sources)
        self.repo._reset()
        found: list[str] = self.repo.index._plot_sources
        return [os.path.normpath(path) for path in found]

    def rewrite_data(self, text: str, file: str, changes: Changes) -> bytes:
        """The bytes DVC leaves after new hashes for some paths."""
        from dvc.dvcfile import load_file
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.meta import Meta

        self.write({file: text})
        stage = load_file(self.repo, str(self.root / file)).stage
        for item in (*stage.deps, *stage.outs):
            if item.def_path in changes:
                md5, size, nfiles, isexec = changes[item.def_path]
                item.hash_name, item.hash_info = "md5", HashInfo("md5", md5)
                item.meta = Meta(size=size, nfiles=nfiles, isexec=isexec, isdir=nfiles is not None)
        stage.md5 = stage.compute_md5()
        stage.dump()
        return (self.root / file).read_bytes()

    def _resolver(self, file: str) -> Any:
        from dvc.dvcfile import load_file

        resolver: Any = load_file(self.repo, str(self.root / file)).resolver
        return resolver

    def facts(self, stage: Any) -> dict[str, object]:
        from dvc.dependency import ParamsDependency

        deps = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
        return {
            "wdir": os.path.relpath(stage.wdir, self.root),
            "cmd": stage.cmd,
            "deps": [(dep.def_path, self._location(dep)) for dep in deps],
            "params": [
                (dep.def_path, self._location(dep), list(dep.params)) for dep in stage.params
            ],
            "outs": [
                {
                    "path": out.def_path,
                    "location": self._location(out),
                    "kind": "plots" if out.plot else "metrics" if out.metric else "outs",
                    "cache": out.use_cache,
                    "persist": out.persist,
                    "push": out.can_push,
                    "remote": out.remote,
                    "props": out.plot if isinstance(out.plot, dict) else {},
                    **{"desc": out.annot.desc, "type": out.annot.type},
                    **{"labels": list(out.annot.labels), "meta": out.annot.meta or None},
                }
                for out in stage.outs
            ],
            "frozen": stage.frozen,
            "always_changed": stage.always_changed,
            "desc": stage.desc,
            "meta": stage.meta,
        }

    def _location(self, item: Any) -> str:
        if item.fs is None or item.protocol != "local":
            return str(item.def_path)
        if os.path.isabs(item.def_path):
            return os.path.normpath(str(item.def_path))
        return os.path.relpath(str(item.fs_path), self.root)

    def _locations(self, found: dict[str, list[str]], file: str) -> list[str]:
        base = os.path.dirname(file)
        return [
            os.path.normpath(os.path.join(base, path)) for paths in found.values() for path in paths
        ]


def _record(item: Any) -> object:
    if not (item.hash_info and item.hash_name in ("md5", "md5-dos2unix")):
        return None
    legacy = item.hash_name == "md5-dos2unix"
    meta = item.meta
    return (item.hash_info.value, meta.size, meta.nfiles, meta.isexec, legacy)


def load(
    sources: Sources,
    root: Path,
    file: str = "dvc.yaml",
    parsing: ParsingOptions | None = None,
) -> object:
    """What exprun makes of `file`, in the shape of `Oracle.load`, or FAILS."""
    try:
        pipeline = load_file(sources, root, file, parsing)
    except PipelineError as error:
        assert error.where
        assert error.message
        return FAILS
    return {
        "order": [stage.name for stage in pipeline.stages],
        "stages": {
            stage.name: {
                "definition": stage.definition,
                "tracked": stage.tracked,
                **facts(stage),
            }
            for stage in pipeline.stages
        },
        "metrics": list(pipeline.metrics),
        "params": list(pipeline.params),
        "artifacts": pipeline.artifacts,
        "datasets": list(pipeline.datasets),
    }


def load_file(
    sources: Sources, root: Path, file: str = "dvc.yaml", parsing: ParsingOptions | None = None
) -> PipelineFile:
    return load_pipeline(Location(file), DictFiles(sources), root=str(root), parsing=parsing)


def facts(stage: Stage) -> dict[str, object]:
    return {
        "wdir": stage.wdir,
        "cmd": list(stage.cmd) if isinstance(stage.cmd, tuple) else stage.cmd,
        "deps": [(dep.path, dep.location) for dep in stage.deps],
        "params": [(file.path, file.location, list(file.keys)) for file in stage.params],
        "outs": [
            {
                "path": out.path,
                "location": out.location,
                "kind": out.kind.value,
                "cache": out.cache,
                "persist": out.persist,
                "push": out.push,
                "remote": out.remote,
                "props": out.props,
                "desc": out.desc,
                "type": out.type,
                "labels": list(out.labels),
                "meta": out.meta or None,
            }
            for out in stage.outs
        ],
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
        "desc": stage.desc,
        "meta": stage.meta,
    }


def load_data(text: str, root: Path, file: str) -> object:
    """What exprun makes of a .dvc file, in the shape of `Oracle.load_data`, or FAILS."""
    try:
        data = load_data_file(Location(file), text.encode(), root=str(root))
    except PipelineError as error:
        assert error.where
        return FAILS
    return {
        **facts(data.stage),
        "md5": data.md5,
        "recorded": [_recorded(entry) for entry in (*data.recorded.deps, *data.recorded.outs)],
    }


def _recorded(entry: LockedPath) -> object:
    content = entry.content
    if content is None:
        return None
    return (content.oid, content.size, content.nfiles, content.isexec, content.legacy)
