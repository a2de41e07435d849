"""Locations: where a path of a pipeline points, seen from the project root.

dvc.yaml spells paths relative to a stage's working directory and DVC keeps that spelling in
dvc.lock. For everything else exprun uses the *location*: the normalised POSIX path relative to the
project root (``"."`` for the root itself, ``"../x"`` outside it), or an absolute path as written,
or a URL. ``os.path.join(root, location)`` is the file for all but URLs, in every workspace.
"""

import posixpath
from typing import NewType

from exprun.model.patterns import pattern

Location = NewType("Location", str)

ROOT = Location(".")

DATASET = "ds://"
"""How the path of a dependency begins that is a dataset."""

_URL = pattern(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(path: str) -> bool:
    """Whether `path` names something that is not on a local file system."""
    return "://" in path and _URL.match(path) is not None


def place(root: str, location: Location) -> str:
    """Where a location is on disk: as ``os.path.join``, in a fraction of the time."""
    if root == "/" or location.startswith("/"):
        return posixpath.join(root, location)
    return f"{root}/{location}"


def join(base: Location, path: str) -> Location:
    """The location of `path` as spelled relative to `base`."""
    if is_url(path):
        return Location(path)
    return Location(posixpath.normpath(path if base == ROOT else posixpath.join(base, path)))


def parent(location: Location) -> Location:
    """The directory that holds `location`."""
    end = location.rfind("/")
    if end < 0:
        return ROOT
    return Location(location[:end].rstrip("/") or posixpath.dirname(location))


def spell(location: Location, *, start: Location) -> str:
    """`location` as a path relative to `start`; absolute paths and URLs stay as they are."""
    if start == ROOT or is_url(location) or posixpath.isabs(location):
        return location
    return posixpath.relpath(location, start)


def is_inside(location: Location, directory: Location) -> bool:
    """Whether `location` is `directory` itself or lies below it."""
    if directory == ROOT:
        return not is_outside(location)
    return location == directory or location.startswith(directory + "/")


def is_outside(location: Location) -> bool:
    """Whether `location` lies outside the project: absolute, a URL, or above the root."""
    return location == ".." or location.startswith(("../", "/")) or is_url(location)
