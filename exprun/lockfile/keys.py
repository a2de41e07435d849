"""The names that follow from entries: run-cache key and value, experiment hash.

All are SHA-256 of JSON with sorted keys, as Python's json writes it by default. The run cache
leaves out every key called ``size`` or ``nfiles`` at any depth, parameters of that name included.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from exprun.errors import LockfileError, ParamsError
from exprun.formats.emit import emit_mapping
from exprun.formats.plain import NotSimple
from exprun.formats.reading import read_yaml
from exprun.lockfile.entries import from_data, to_data
from exprun.model.paths import is_outside, is_url
from exprun.model.stage import OutputKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.lock import LockedStage
    from exprun.model.stage import Stage

_LEFT_OUT = frozenset(("size", "nfiles"))

_encode = json.JSONEncoder(sort_keys=True).encode


def run_cache_key(entry: LockedStage) -> str:
    """The directory of the run cache where results of this command and these inputs are.

    Raises ParamsError for a parameter that JSON cannot hold.
    """
    return _key_of(_unsized(entry), entry)


def run_cache_names(entry: LockedStage) -> tuple[str, str]:
    """The key of `entry`, as `run_cache_key`, and the name of its file there."""
    data = _unsized(entry)
    return _key_of(data, entry), _sha256(data)


def run_cache_text(entry: LockedStage) -> bytes:
    """The content of the file of `entry` in the run cache, byte for byte as DVC writes it."""
    data = to_data(entry)
    try:
        return emit_mapping(data, 0).encode()
    except NotSimple:
        from exprun.lockfile.roundtrip import dump

        return dump(data).encode()


def parse_run_cache(data: bytes, *, name: str) -> LockedStage:
    """The entry in a run-cache file; raises LockfileError where DVC would delete the file."""
    return from_data(read_yaml(data, name=name, error=LockfileError) or {}, name)


def experiment_hash(entries: Mapping[str, LockedStage]) -> str:
    """The hash of an experiment that reproduced these stages, by bare name.

    Raises ParamsError as `run_cache_key`.
    """
    return _sha256({name: to_data(entry) for name, entry in entries.items()})


def is_cacheable(stage: Stage, entry: LockedStage) -> bool:
    """Whether results of `stage` may come from the run cache, given its `entry` as it is now."""
    if not stage.cmd or stage.always_changed or not (stage.deps or stage.params) or not stage.outs:
        return False
    return (
        all(dep.content is not None for dep in entry.deps)
        and not any(is_url(dep.location) for dep in stage.deps)
        and all(entry.params.values())
        and not any(out.persist or is_outside(out.location) for out in stage.outs)
    )


def is_savable(stage: Stage, entry: LockedStage) -> bool:
    """Whether DVC would save the results of `stage` in the run cache."""
    uncached = any(not out.cache and out.kind is OutputKind.OUT for out in stage.outs)
    return not uncached and is_cacheable(stage, entry)


def matches(found: LockedStage, current: LockedStage) -> bool:
    """Whether an entry found under the key of `current` is about the same inputs.

    The key does not tell parameters called ``size`` or ``nfiles`` apart.
    """
    return _inputs(found) == _inputs(current)


def _inputs(entry: LockedStage) -> str:
    data = to_data(entry)
    data["deps"] = _without_sizes(data.get("deps"))
    data.pop("outs", None)
    return _json(data)


def _key_of(unsized: dict[str, object], entry: LockedStage) -> str:
    return _sha256({**unsized, "outs": [out.path for out in entry.outs]})


def _unsized(entry: LockedStage) -> dict[str, object]:
    return {key: _without_sizes(value) for key, value in to_data(entry).items()}


def _without_sizes(data: object) -> object:
    # Like DVC's filter this looks into lists and maps only, not into tuples.
    if isinstance(data, list):
        return [_without_sizes(item) for item in data]
    if isinstance(data, dict):
        return {
            key: _without_sizes(value) if isinstance(value, (dict, list)) else value
            for key, value in data.items()
            if key not in _LEFT_OUT
        }
    return data


def _sha256(data: object) -> str:
    return hashlib.sha256(_json(data).encode(), usedforsecurity=False).hexdigest()


def _json(data: object) -> str:
    try:
        return _encode(data)
    except (TypeError, ValueError) as failure:
        raise ParamsError(
            f"a parameter cannot be written as JSON: {failure}",
            hint="use text, numbers, lists and maps only, with keys of one kind",
        ) from None
