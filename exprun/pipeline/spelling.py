"""How dvc.yaml spells a path, and the location it means."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from exprun.model.paths import ROOT, Location, is_url, join


class Spelled(NamedTuple):
    """A path as dvc.lock will spell it, and where it points."""

    path: str
    location: Location


def spelled(path: str, wdir: Location, root: str) -> Spelled:
    """`path` of a stage that works in `wdir`.

    Paths stay as written, but for absolute ones inside the project: like DVC, they are respelled
    relative to the stage's working directory. `root` is the absolute root of the project: what
    leaves it and comes back lies in it.
    """
    if path.startswith("/"):
        normal = posixpath.normpath(path)
        if normal.startswith(root.rstrip("/") + "/"):
            location = Location(posixpath.relpath(normal, root))
            return Spelled(posixpath.relpath(normal, posixpath.join(root, wdir)), location)
    elif "://" not in path:  # most paths; as `join`, in half the time
        location = Location(posixpath.normpath(path if wdir == ROOT else f"{wdir}/{path}"))
        if location.startswith("../"):
            location = Location(posixpath.relpath(f"{root}/{location}", root))
        return Spelled(path, location)
    return Spelled(path, join(wdir, path))


def located(path: str, base: Location, root: str) -> Location:
    """The location of a directory that is spelled relative to `base`."""
    if is_url(path):  # a directory of that name; only dependencies and outputs can be URLs
        return Location(posixpath.normpath(posixpath.join(base, path)))
    return spelled(path, base, root).location


def is_dvc_file(path: str) -> bool:
    """Whether a file of this name holds stages; only DVC's own files may have it."""
    return path.endswith((".dvc", "/dvc.yaml")) or path == "dvc.yaml"


def lock_of(pipeline: Location) -> Location:
    """The lock file beside a dvc.yaml."""
    return Location(pipeline.removesuffix(".yaml") + ".lock")
