"""Files with edits laid over them: the project as it will be, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.files import Files
    from exprun.model.paths import Location


@dataclass(frozen=True, slots=True)
class Overlay:
    """`exprun.model.files.Files` that shows `edits` in place of what `below` has."""

    below: Files
    edits: Mapping[Location, bytes]

    def read(self, location: Location) -> bytes:
        edited = self.edits.get(location)
        return self.below.read(location) if edited is None else edited

    def is_file(self, location: Location) -> bool:
        return location in self.edits or self.below.is_file(location)

    def is_dir(self, location: Location) -> bool:
        return self.below.is_dir(location)
