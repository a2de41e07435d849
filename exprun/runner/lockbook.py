"""The dvc.lock files of one run: entries are recorded as stages finish."""

from __future__ import annotations

import os
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from exprun.errors import LockfileError
from exprun.lockfile.codec import absent_lock, parse_lock
from exprun.model.files import OUT_OF_MEANS
from exprun.model.paths import ROOT, is_inside
from exprun.model.values import dataclass
from exprun.pipeline.spelling import lock_of
from exprun.runner.writing import replace_file
from exprun.workspaces.overwriting import write_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exprun.lockfile.codec import Lockfile
    from exprun.model.files import Files
    from exprun.model.lock import LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Stage, StageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recording an entry did to a lock file."""

    file: Location
    created: bool
    changed: bool


class LockBook:
    """Reads the lock files of a project on demand and records entries in planned order.

    What is recorded is written by `flush`: whole or not at all, but for a `disposable` project, of
    which nothing is kept that was cut short. Thread-safe.
    """

    def __init__(self, files: Files, root: str, *, disposable: bool = False) -> None:
        self._files = files
        self._root = root
        self._disposable = disposable
        self._ranks: dict[Location, dict[str, int]] = {}
        self._locks: dict[Location, Lockfile] = {}
        self._unwritten: set[Location] = set()
        self._lock = Lock()

    def plan(self, stages: Sequence[Stage]) -> None:
        """Take note of the order in which new entries are to stand."""
        for rank, stage in enumerate(stages):
            if stage.name is not None:
                self._ranks.setdefault(lock_of(stage.file), {})[stage.name] = rank

    def entry(self, stage: StageId) -> LockedStage | None:
        """What is recorded about a pipeline stage. Raises LockfileError."""
        with self._lock:
            return self._load(lock_of(stage.file)).get(stage.name or "")

    def datasets(self, pipeline: Location) -> Sequence[object]:
        """The ``datasets`` of the lock file beside a dvc.yaml."""
        with self._lock:
            return self._load(lock_of(pipeline)).datasets

    def record(self, stage: StageId, entry: LockedStage) -> Recorded:
        """Record what a stage read and made."""
        name = stage.name or ""
        file = lock_of(stage.file)
        with self._lock:
            lock = self._load(file)
            recorded = Recorded(
                file=file, created=lock.is_absent, changed=not lock.records(name, entry)
            )
            self._locks[file] = lock.with_stage(name, entry, ranks=self._ranks.get(file))
            self._unwritten.add(file)
        return recorded

    def flush(self, within: Iterable[Location] = (ROOT,)) -> None:
        """Write what has not been written, of the lock files at or below these locations."""
        with self._lock:
            for file in [
                file for file in self._unwritten if any(is_inside(file, at) for at in within)
            ]:
                path, data = os.path.join(self._root, file), self._locks[file].to_bytes()
                if not (self._disposable and write_over(path, data)):
                    replace_file(path, data)
                self._unwritten.remove(file)

    def _load(self, file: Location) -> Lockfile:
        lock = self._locks.get(file)
        if lock is None:
            try:
                lock = _parsed(self._files.read(file), file)
            except FileNotFoundError:
                lock = absent_lock(name=file)
            except OSError as error:
                if error.errno in OUT_OF_MEANS:
                    raise
                raise LockfileError(f"cannot be read: {error.strerror}", where=file) from None
            self._locks[file] = lock
        return lock


@lru_cache(maxsize=2)
def _parsed(data: bytes, file: Location) -> Lockfile:
    """Experiments that are set out one after the other start from the same lock file."""
    return parse_lock(data, name=file)
