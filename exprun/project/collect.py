"""Finding the DVC files of a project, in the order in which DVC finds them.

The order decides in which order independent stages run and new lock entries appear: directories
top-down, and inside one directory as the operating system lists it, unsorted.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.model.files import OUT_OF_MEANS
from exprun.model.paths import ROOT, Location
from exprun.pipeline.spelling import is_dvc_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exprun.project.gitignore import GitIgnore
    from exprun.project.ignore import IgnoreRules
    from exprun.project.root import Place


def collect_dvc_files(
    place: Place,
    outputs_of: Callable[[Location], Iterable[Location]],
    *,
    ignore: IgnoreRules,
    git_ignore: GitIgnore | None,
) -> list[Location]:
    """Every dvc.yaml and .dvc file that belongs to the project.

    `outputs_of` is asked for the outputs of each file as soon as it is found, because DVC does not
    look for DVC files inside an output of a stage it has already seen. What it raises, passes.
    Ignored files and directories, nested projects and linked directories are left out.
    """
    found: list[Location] = []
    if git_ignore is not None and place.prefix and git_ignore.ignores(place.prefix, is_dir=True):
        return found
    outputs: set[Location] = set()
    pending = [ROOT]
    while pending:
        directory = pending.pop()
        dirs, files, linked = _list(os.path.join(place.root, directory))
        dirs, files = ignore.filter(directory, dirs, files)
        prefix = "" if directory == ROOT else f"{directory}/"
        for name in files:
            location = Location(prefix + name)
            if not _is_git_ignored(location, place, git_ignore, is_dir=False):
                found.append(location)
                outputs.update(outputs_of(location))
        inner = [Location(prefix + name) for name in dirs if name not in linked]
        pending.extend(
            location
            for location in reversed(inner)
            if location not in outputs
            and not _is_git_ignored(location, place, git_ignore, is_dir=True)
        )
    return found


def _list(path: str) -> tuple[list[str], list[str], set[str]]:
    """The sub-directories, the DVC files, and which of the former are symbolic links."""
    dirs: list[str] = []
    files: list[str] = []
    linked: set[str] = set()
    try:
        entries = os.scandir(path)
    except OSError as error:
        if error.errno in OUT_OF_MEANS:
            raise
        return dirs, files, linked
    with entries:
        for entry in entries:
            name = entry.name
            try:
                is_dir = entry.is_dir()
            except OSError:  # a link that leads to itself
                is_dir = False
            if is_dir:
                dirs.append(name)
                if entry.is_symlink():
                    linked.add(name)
            elif is_dvc_file(name):
                files.append(name)
    return dirs, files, linked


def _is_git_ignored(
    location: Location, place: Place, git_ignore: GitIgnore | None, *, is_dir: bool
) -> bool:
    if git_ignore is None:
        return False
    prefix = place.prefix
    return git_ignore.ignores_entry(f"{prefix}/{location}" if prefix else location, is_dir=is_dir)
