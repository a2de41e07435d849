"""What loading a dvc.yaml gives."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.paths import Location
    from exprun.model.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFile:
    """What one dvc.yaml says. `stages` are in the order of definition, groups spread out.

    `params`, `metrics` and `plots` are the files named at the top level. `groups` has the names of
    the stages that each foreach or matrix group made. `read` are the locations that the result
    depends on besides the file itself, whether something was there or not. With `is_plain` the
    result would be the same with any parameters that `load.has_usable_params` accepts.
    """

    location: Location
    stages: tuple[Stage, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    params: tuple[Location, ...] = ()
    metrics: tuple[Location, ...] = ()
    plots: tuple[Location, ...] = ()
    artifacts: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    datasets: tuple[object, ...] = ()
    read: frozenset[Location] = frozenset()
    is_plain: bool = False
