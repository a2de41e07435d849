"""The files of a project in a directory on disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.content import read_file
from exprun.model.paths import place
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from exprun.model.paths import Location


@dataclass(frozen=True, slots=True)
class DiskFiles:
    """`exprun.model.files.Files` for the project at the absolute path `root`.

    Locations outside the project are read like any other: dependencies may lie there.
    """

    root: str
    asked: set[Location] = field(default_factory=set, compare=False)
    """What has been asked about so far."""

    def read(self, location: Location) -> bytes:
        self.asked.add(location)
        return read_file(place(self.root, location))

    def is_file(self, location: Location) -> bool:
        self.asked.add(location)
        return os.path.isfile(place(self.root, location))

    def is_dir(self, location: Location) -> bool:
        self.asked.add(location)
        return os.path.isdir(place(self.root, location))
