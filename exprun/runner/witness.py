"""Every path that looking at stages rests on, so that the answer can be kept (see `answers`)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from exprun.model.lock import Content
from exprun.model.paths import ROOT, is_outside, is_url, parent
from exprun.project.config_files import config_files, config_places
from exprun.project.gitignore import GITIGNORE, excludes_config_files, find_excludes_file
from exprun.project.ignore import DVCIGNORE
from exprun.project.root import DVC_DIR
from exprun.store.failures import MissingObjects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.project.answers import Question
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project


def keep_answer(
    question: Question | None,
    answer: str,
    *,
    opened: Opened,
    project: Project,
    stages: Sequence[Stage],
    began_ns: int,
) -> None:
    """Keep what looking at `stages`, since `began_ns`, has led to, if it can be vouched for.

    It cannot where remote data decides, or a way leads through linked directories.
    """
    witness = _Witness(opened, project)
    if question is not None and witness.can_vouch_for(stages):
        question.keep(answer, witness.paths(stages), began_ns=began_ns)


class _Witness:
    def __init__(self, opened: Opened, project: Project) -> None:
        self._opened = opened
        self._project = project
        self._root = opened.place.root
        self._site = opened.site(project)

    def can_vouch_for(self, stages: Sequence[Stage]) -> bool:
        if any(is_url(location) for stage in stages for location in _locations(stage)):
            return False
        if any(dep.source is not None for stage in stages for dep in stage.deps):
            return False
        return not any(os.path.islink(self._path(at)) for at in _directories_above(stages))

    def paths(self, stages: Sequence[Stage]) -> Iterator[str]:
        places = config_places(self._opened.env, platform=sys.platform)
        yield from config_files(self._opened.place.dvc_dir, places)
        yield from self._git()
        for location in self._project.ignore.consulted:
            yield from self._searched(self._path(location))
        yield from map(self._path, self._opened.files.asked)
        for location in _directories_above(stages):
            yield from (self._path(f"{location}/{name}") for name in (DVCIGNORE, DVC_DIR))
        for stage in stages:
            for location in _locations(stage):
                yield from _data(self._path(location))
            yield from self._objects(stage)

    def _path(self, location: str) -> str:
        return os.path.normpath(os.path.join(self._root, location))

    def _git(self) -> Iterator[str]:
        """What decides which repository this is, and what the user has it ignore."""
        git, env = self._opened.place.git, self._opened.env
        at = self._root
        while git is None or at != git.work_tree:
            yield os.path.join(at, ".git")
            if at == os.path.dirname(at):
                return
            at = os.path.dirname(at)
            yield os.path.join(at, GITIGNORE)
        # A directory `.git` changes all the time; what it holds tells whether it is a repository.
        if not os.path.isdir(dot_git := os.path.join(at, ".git")):
            yield dot_git
        inside = ("HEAD", "commondir", "info/exclude")
        yield from (os.path.join(git.git_dir, name) for name in inside)
        home, config_home = env.get("HOME"), env.get("XDG_CONFIG_HOME")
        yield from excludes_config_files(git, home, config_home)
        excludes = find_excludes_file(git, home=home, config_home=config_home)
        if excludes is not None:
            yield os.path.abspath(excludes)

    def _searched(self, directory: str) -> Iterator[str]:
        """A directory that was searched for DVC files."""
        yield directory
        yield os.path.join(directory, DVCIGNORE)
        yield os.path.join(directory, GITIGNORE)
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield entry.path
                if entry.is_dir() and entry.name not in (".git", DVC_DIR):
                    yield os.path.join(entry.path, DVC_DIR)

    def _objects(self, stage: Stage) -> Iterator[str]:
        store, entry = self._site.store, self._site.records.entry(stage)
        for out in entry.outs if entry else ():
            content = out.content
            if content is None:
                continue
            yield store.object_path(content)
            if content.is_dir:
                try:
                    members = store.files(content).values()
                except MissingObjects:
                    continue
                for oid in members:
                    yield store.object_path(Content(oid=oid, legacy=content.legacy))


def _locations(stage: Stage) -> Iterator[Location]:
    yield from (dep.location for dep in stage.deps)
    yield from (file.location for file in stage.params)
    yield from (out.location for out in stage.outs)


def _directories_above(stages: Sequence[Stage]) -> dict[Location, None]:
    """The directories between the project's root and the data of `stages`."""
    above: dict[Location, None] = {}
    for stage in stages:
        for location in _locations(stage):
            at = location
            while not is_outside(at) and at != ROOT and (at := parent(at)) not in above:
                above[at] = None
    return above


def _data(path: str) -> Iterator[str]:
    """What is at `path`: for a directory, all directories and files of it."""
    yield path
    pending = [path] if os.path.isdir(path) else []
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                yield entry.path
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
