"""The files of a project in a directory on disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.model.files import require_file
from exprun.model.paths import place
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from exprun.model.paths import Location

_CHUNK = 1 << 20


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


def read_file(path: str, *, flags: int = 0) -> bytes:
    """What the file at `path` holds, in as few system calls as it takes.

    `flags` are for opening it. Raises OSError as `open` does, and where `only_files` does.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
    try:
        found = os.fstat(descriptor)
        require_file(found.st_mode, path)
        # One byte more than it has shows whether it has grown.
        data = os.read(descriptor, found.st_size + 1)
        while len(data) != found.st_size and (more := os.read(descriptor, _CHUNK)):
            data += more
        return data
    finally:
        os.close(descriptor)


def only_files(path: str, flags: int) -> int:
    """An opener for reading. Raises OSError for a FIFO, which would never be read to its end, for a
    device and for a directory.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    try:
        require_file(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
