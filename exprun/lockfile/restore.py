"""Where the outputs of a changed stage may come from without running its command."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from exprun.lockfile.compare import dependency_changes
from exprun.lockfile.keys import is_cacheable

if TYPE_CHECKING:
    from exprun.lockfile.compare import Probe
    from exprun.model.lock import LockedStage
    from exprun.model.stage import Stage


class Source(Enum):
    """Where to take the outputs from."""

    LOCK = "dvc.lock"
    """The entry of the lock file, also when the run cache is not to be used."""
    RUN_CACHE = "run cache"
    COMMAND = "command"


def source_of_outputs(
    stage: Stage, locked: LockedStage | None, current: LockedStage, probe: Probe
) -> Source:
    """The first place to look for the outputs of `stage`, whose inputs are as `current` says.

    If the objects are not in the cache there, the command has to run. Raises what `probe` raises.
    """
    if not is_cacheable(stage, current):
        return Source.COMMAND
    if locked is None or locked.cmd != stage.cmd:
        return Source.RUN_CACHE
    recorded = {out.path for out in locked.outs if out.content is not None}
    if not all(out.path in recorded for out in stage.outs):
        return Source.RUN_CACHE
    changed = next(dependency_changes(stage, locked, probe), None)
    return Source.LOCK if changed is None else Source.RUN_CACHE
