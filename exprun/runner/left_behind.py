"""Files that stages name and Git does not track: an experiment elsewhere does not have them."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from exprun.git.tree import GITLINK, SYMLINK, find
from exprun.model.paths import ROOT, Location, is_outside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exprun.git.objects import ObjectStore
    from exprun.model.stage import Stage
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project

_SHOWN = 10
# As many as Linux follows.
_LINKS = 40


def warn_of_left_behind(
    opened: Opened,
    project: Project,
    stages: Sequence[Stage],
    tree: str,
    objects: ObjectStore,
    copied: Iterable[str],
) -> None:
    """Warn, once, of what `stages` read that is there but neither in `tree` nor `copied`."""
    cwd = opened.place.cwd
    brought = [os.path.normpath(os.path.join(cwd, path)) for path in copied]
    found: dict[str, None] = {}
    for location in _read_by(stages, {out.location for s in project.stages for out in s.outs}):
        path = os.path.join(opened.place.root, location)
        top = _missing(objects, tree, opened.repository.inside(path))
        if top is None or not os.path.lexists(path):
            continue
        name = os.path.relpath(top, opened.place.prefix or ".")
        if not any(_holds(each, location) or _holds(each, name) for each in brought):
            found[name] = None
    if found:
        opened.warn(_words(list(found), at_root=cwd == ROOT))


def _read_by(stages: Iterable[Stage], outs: set[Location]) -> Iterator[Location]:
    """What stages are defined in, and read, that no stage makes."""
    for stage in stages:
        read = [
            stage.file,
            *(dep.location for dep in stage.deps),
            *(file.location for file in stage.params),
        ]
        for location in read:
            if is_outside(location):
                continue
            if not any(_holds(out, location) or _holds(location, out) for out in outs):
                yield location


def _holds(outer: str, inner: str) -> bool:
    return outer in (ROOT, inner) or inner.startswith(f"{outer}/")


def _missing(objects: ObjectStore, tree: str, path: str, links: int = _LINKS) -> str | None:
    """The topmost part of `path` that a tree lacks; None if it has all of it.

    Links to directories are followed as the experiment will follow them; one that leads to an
    absolute path leads to the same place from everywhere. A submodule is checked out on its own.
    """
    parts = path.split("/")
    for length in range(1, len(parts) + 1):
        top = "/".join(parts[:length])
        entry = find(objects, tree, top)
        if entry is None:
            return top
        if entry.mode == GITLINK:
            return None
        if entry.mode == SYMLINK and length < len(parts):
            target = os.fsdecode(objects.read(entry.oid, "blob"))
            if os.path.isabs(target):
                return None
            behind = os.path.normpath("/".join([*parts[: length - 1], target, *parts[length:]]))
            if not links or is_outside(Location(behind)):
                return "/".join(parts[: length + 1])
            return _missing(objects, tree, behind, links - 1)
    return None


def _words(paths: Sequence[str], *, at_root: bool) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    listed = ", ".join(paths[:_SHOWN]) + more
    options = " ".join(f"-C {shlex.quote(path)}" for path in paths[:_SHOWN])
    where = "" if at_root else ", from the project's root"
    return (
        f"stages name what git does not track, and the experiment will not have it: {listed} "
        f"(to bring it along{where}: {options})"
    )
