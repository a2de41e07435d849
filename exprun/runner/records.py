"""What is recorded about the stages of a run, in dvc.lock and .dvc files, read and written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.model.paths import ROOT
from exprun.runner.lockbook import LockBook, Recorded
from exprun.runner.writing import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exprun.model.files import Files
    from exprun.model.lock import LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.pipeline.datafile import DataFile


class Records:
    """The records of a project whose .dvc files are `data`. Thread-safe for different stages."""

    def __init__(
        self,
        root: str,
        files: Files,
        data: Mapping[Location, DataFile],
        *,
        disposable: bool = False,
    ) -> None:
        self._root = root
        self._data = dict(data)
        self._locks = LockBook(files, root, disposable=disposable)

    def plan(self, stages: Sequence[Stage]) -> None:
        """Take note of the order in which new entries are to stand."""
        self._locks.plan(stages)

    def entry(self, stage: Stage) -> LockedStage | None:
        """What is recorded about a stage. Raises LockfileError."""
        if stage.is_pipeline_stage:
            return self._locks.entry(stage.id)
        return self._data[stage.file].recorded

    def datasets(self, pipeline: Location) -> Sequence[object]:
        """The ``datasets`` of the lock file beside a dvc.yaml."""
        return self._locks.datasets(pipeline)

    def has_wrong_checksum(self, stage: Stage) -> bool:
        """Whether a .dvc file was edited since its MD5 of itself was written."""
        if stage.is_pipeline_stage:
            return False
        from exprun.pipeline.datafile_dump import stage_md5

        file = self._data[stage.file]
        return file.md5 != stage_md5(stage, file.recorded)

    def record(self, stage: Stage, entry: LockedStage) -> Recorded | None:
        """Record what a stage read and made; None for a .dvc file."""
        if stage.is_pipeline_stage:
            return self._locks.record(stage.id, entry)
        from exprun.pipeline.datafile import load_data_file, update_data_file

        file = self._data[stage.file]
        data = update_data_file(file, entry)
        if data != file.text.encode():
            replace_file(os.path.join(self._root, stage.file), data)
            self._data[stage.file] = load_data_file(stage.file, data, root=self._root)
        return None

    def flush(self, within: Iterable[Location] = (ROOT,)) -> None:
        """Write what has not been written, of the lock files at or below these locations."""
        self._locks.flush(within)
