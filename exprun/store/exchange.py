"""What to exchange objects with, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.lock import Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteConfig:
    """A ``remote "name"`` section of DVC's configuration.

    `url` is absolute: where DVC allows a relative path it is resolved by who reads the file.
    `options` holds the other keys as DVC spells them.
    """

    name: str
    url: str
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def jobs(self) -> int:
        jobs = self.options.get("jobs")
        return int(str(jobs)) if jobs else 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """The objects that were copied, and those the source does not have."""

    copied: tuple[Oid, ...]
    missing: tuple[Oid, ...] = ()
