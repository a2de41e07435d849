"""The files of a project with their directories listed: on disk, or in a commit's tree."""

from __future__ import annotations

import os
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from exprun.git.tree import GITLINK, TREE
from exprun.model.files import Files
from exprun.model.paths import ROOT, Location
from exprun.model.values import dataclass
from exprun.project.files import DiskFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.git.trees import TreeFiles


class Names(NamedTuple):
    """The names in a directory; links to directories count as files."""

    dirs: list[str]
    files: list[str]


class Listing(Files, Protocol):
    """Files that can be listed and told apart without being read."""

    def names(self, directory: Location) -> Names:
        """What a directory holds; nothing if there is none."""

    def version(self, location: Location) -> str | None:
        """What changes with a file's content; None if that would have to be read."""


class DiskListing(DiskFiles):
    """A project's files on disk."""

    __slots__ = ()

    def names(self, directory: Location) -> Names:
        names = Names([], [])
        try:
            entries = sorted(os.scandir(os.path.join(self.root, directory)), key=attrgetter("name"))
        except OSError:
            return names
        for entry in entries:
            is_dir = entry.is_dir(follow_symlinks=False)
            (names.dirs if is_dir else names.files).append(entry.name)
        return names

    def version(self, location: Location) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class TreeListing:
    """A project's files in a commit."""

    tree: TreeFiles

    def read(self, location: Location) -> bytes:
        return self.tree.read(location)

    def is_file(self, location: Location) -> bool:
        return self.tree.is_file(location)

    def is_dir(self, location: Location) -> bool:
        return self.tree.is_dir(location)

    def names(self, directory: Location) -> Names:
        names = Names([], [])
        for name, entry in self.tree.entries(directory).items():
            if entry.mode == TREE:
                names.dirs.append(name)
            elif entry.mode != GITLINK:
                names.files.append(name)
        return names

    def version(self, location: Location) -> str | None:
        entry = self.tree.find(location)
        return entry.oid if entry else ""


def files_below(files: Listing, directory: Location) -> Iterator[Location]:
    """Every file in a directory and those in it, those nearer to the top first."""
    names = files.names(directory)
    prefix = "" if directory == ROOT else f"{directory}/"
    for name in names.files:
        yield Location(prefix + name)
    for name in names.dirs:
        yield from files_below(files, Location(prefix + name))
