"""Keeping every removal and write beneath the workspace, resolved physically."""

from __future__ import annotations

import os
from functools import lru_cache

from exprun.errors import StoreError

FORBIDDEN = frozenset({".git", ".dvc"})
"""No output may lie in a directory of these names, in any case."""


def confine(path: str, root: str) -> str:
    """`path` with its parents resolved, sure to lie beneath `root`.

    The last component is not followed: a symlink there is itself what gets replaced or removed.
    Raises StoreError if the place is outside `root`, is `root`, or is in ``.git`` or ``.dvc``.
    """
    beneath = f"{real_directory(root).rstrip('/')}/"
    parent, _, name = path.rpartition("/")
    if parent == root and name not in ("", ".", ".."):
        place = beneath + name
    else:
        parent, name = os.path.split(os.path.abspath(path))
        place = os.path.join(os.path.realpath(parent), name)
    if not place.startswith(beneath):
        raise StoreError(
            "refusing to write or remove outside the project",
            where=path,
            hint="name an output inside the project, not behind a symlink that leaves it",
        )
    if not FORBIDDEN.isdisjoint(place.removeprefix(beneath).lower().split(os.sep)):
        raise StoreError("refusing to write or remove inside .git or .dvc", where=path)
    return place


def real_directory(path: str) -> str:
    """``os.path.realpath``, which is asked once for as long as the directory is the same one."""
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return _real_directory(path, found.st_dev, found.st_ino)


@lru_cache(maxsize=64)
def _real_directory(path: str, device: int, inode: int) -> str:
    return os.path.realpath(path)


def is_safe_relpath(relpath: str) -> bool:
    """Whether a manifest may place a file there: below its directory, and never in ``.git``."""
    if not relpath or "\0" in relpath:
        return False
    if relpath[0] not in "./" and relpath[-1] != "/" and "/." not in relpath:
        return "//" not in relpath
    return not any(part.lower() in ("", ".", "..", ".git") for part in relpath.split("/"))
