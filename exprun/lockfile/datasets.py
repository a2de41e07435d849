"""Datasets, which stages depend on as ``ds://NAME``: what the lock file says of the one so named.

A dvc.yaml defines it, anywhere in the project; the entry of the lock file beside that, which ``dvc
dataset`` writes, counts for as long as it repeats the definition. (DVC's ``repo/datasets.py`` and
``dependency/dataset.py``.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import MissingDependency, PipelineError
from exprun.model.paths import DATASET
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exprun.model.paths import Location
    from exprun.model.stage import Dependency

_ALWAYS = ("name", "type", "url")
_DEFINING = {"dvc": (*_ALWAYS, "path", "rev"), "dc": _ALWAYS, "url": _ALWAYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset that the dvc.yaml at `file` defines. `locked` is its entry in the lock file."""

    file: Location
    definition: Mapping[str, object]
    locked: Mapping[str, object] | None

    @property
    def content(self) -> Mapping[str, object] | None:
        """What it is, None if the lock file does not tell. Raises PipelineError."""
        kind = self.definition.get("type")
        if not isinstance(kind, str) or kind not in _DEFINING:
            raise PipelineError(f"unknown dataset type: {kind}", where=self.file)
        if self.locked is None:
            return None
        # DVC leaves out of the lock file what is empty.
        keys = _DEFINING[kind]
        repeated = all((self.locked.get(k) or "") == (self.definition.get(k) or "") for k in keys)
        return self.locked if repeated else None

    def require_content(self) -> Mapping[str, object]:
        """What it is. Raises MissingDependency, and PipelineError."""
        content = self.content
        if content is None:
            name = self.definition["name"]
            how = "missing from dvc.lock file" if self.locked is None else "not in sync"
            raise MissingDependency(
                f"information on dataset '{name}' is {how}", hint=f"dvc dataset update {name}"
            )
        return content


def find_datasets(
    defined: Mapping[Location, Sequence[object]], locked: Callable[[Location], Sequence[object]]
) -> dict[str, Dataset]:
    """The datasets of a project by name: of those `defined` in each dvc.yaml, what is `locked`."""
    found: dict[str, Dataset] = {}
    for file, definitions in defined.items():
        entries = _by_name(locked(file)) if definitions else {}
        for name, definition in _by_name(definitions).items():
            found[name] = Dataset(file=file, definition=definition, locked=entries.get(name))
    return found


def is_dataset(dep: Dependency) -> bool:
    return dep.path.startswith(DATASET)


def dataset_of(dep: Dependency, datasets: Mapping[str, Dataset]) -> Dataset:
    """The dataset that a dependency names. Raises MissingDependency."""
    name = dep.path.removeprefix(DATASET).partition("/")[0]
    if name not in datasets:
        raise MissingDependency(f"dataset not found: '{name}'", hint="dvc dataset add")
    return datasets[name]


def _by_name(entries: Sequence[object]) -> dict[str, Mapping[str, object]]:
    return {
        str(entry["name"]): entry
        for entry in entries
        if isinstance(entry, dict) and "name" in entry
    }
