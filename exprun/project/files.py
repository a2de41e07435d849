"""The files of a project in a directory on disk."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

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
        with open(os.path.join(self.root, location), "rb", opener=only_files) as file:
            return file.read()

    def is_file(self, location: Location) -> bool:
        self.asked.add(location)
        return os.path.isfile(os.path.join(self.root, location))

    def is_dir(self, location: Location) -> bool:
        self.asked.add(location)
        return os.path.isdir(os.path.join(self.root, location))


def only_files(path: str, flags: int) -> int:
    """An opener for reading. Raises OSError for a FIFO, which would never be read to its end, and
    for a device; `open` does so for a directory.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return descriptor
