"""Opening a project: where it is, how it is configured, and the parts that work on it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from exprun.errors import ProjectError
from exprun.model.values import dataclass, field, replace
from exprun.pipeline.recent import RecentPipelines
from exprun.project.config import load_config
from exprun.project.config_files import config_places
from exprun.project.files import DiskFiles
from exprun.project.gitignore import GitIgnore, find_excludes_file
from exprun.project.ignore import IgnoreRules
from exprun.project.root import GitPlace, Place, find_git, find_project
from exprun.runner.probe import WorkspaceProbe
from exprun.runner.project import load_project
from exprun.runner.records import Records
from exprun.runner.remembering import SMALL, RecentDocuments, RememberingYaml
from exprun.runner.site import Site, StoreIgnore
from exprun.store.cache import Store, StoreConfig
from exprun.store.links import parse_link_types

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exprun.formats.reading import YamlReader
    from exprun.git.repository import Repository
    from exprun.model.files import Files
    from exprun.model.paths import Location
    from exprun.project.config import Config
    from exprun.runner.project import Project


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A DVC project, opened. `env` is the caller's environment; `warn` takes warnings."""

    place: Place
    config: Config
    env: Mapping[str, str]
    warn: Callable[[str], None]
    records_dir: str
    keep_from: int = 0
    """How many characters a document must have for its parsed form to be kept on disk."""
    documents: RecentDocuments = field(default_factory=RecentDocuments, repr=False)
    pipelines: RecentPipelines = field(default_factory=RecentPipelines, repr=False)
    original: Opened | None = None
    """The project in the user's workspace, if this is it in another."""
    known_repository: Repository | None = field(default=None, repr=False)

    @cached_property
    def store(self) -> Store:
        """The cache, as seen from the project's own workspace."""
        return self.open_store(self.place.root)

    @cached_property
    def files(self) -> DiskFiles:
        return DiskFiles(self.place.root)

    @cached_property
    def yaml(self) -> YamlReader:
        """Reads YAML, without parsing again what was parsed before."""
        directory = os.path.join(self.records_dir, "parsed")
        return RememberingYaml(directory, keep_from=self.keep_from, recent=self.documents)

    @cached_property
    def repository(self) -> Repository:
        """The Git repository around the project. Raises NotAProject."""
        if self.known_repository is not None:
            return self.known_repository
        from exprun.git.repository import open_repository

        return open_repository(self.place.root, env=self.env)

    @cached_property
    def excludes_file(self) -> str | None:
        """The ignore file that the user has for all repositories."""
        if self.original is not None:
            return self.original.excludes_file
        assert self.place.git is not None
        return find_excludes_file(
            self.place.git,
            home=self.env.get("HOME"),
            config_home=self.env.get("XDG_CONFIG_HOME"),
        )

    def load(self, files: Files | None = None) -> Project:
        """The project as its files, or the `files` given, describe it now."""
        return load_project(
            self.place,
            self.config,
            files or self.files,
            git_ignore=self._git_ignore(),
            yaml=self.yaml,
            recent=self.pipelines,
        )

    def at(self, root: str, repository: Repository | None = None) -> Opened:
        """The same project with its files in another directory, and the same cache.

        `repository` is the one around it, if that is known.
        """
        place = Place(root=root, git=_place_of(repository) if repository else find_git(root))
        return replace(
            self,
            place=place,
            known_repository=repository,
            # An experiment's parameters are new every time, and read once.
            keep_from=SMALL,
            original=self.original or self,
        )

    def _git_ignore(self) -> GitIgnore | None:
        git = self.place.git
        if git is None or self.config.core.no_scm:
            return None
        return GitIgnore(git, excludes_file=self.excludes_file)

    def open_store(self, root: str) -> Store:
        """The cache, as seen from the workspace at `root`."""
        cache = self.config.cache
        return Store(
            StoreConfig(
                cache_dir=cache.dir,
                records=self.records_dir,
                link_types=parse_link_types(cache.type),
                shared=cache.shared == "group",
                ignore=StoreIgnore(root, IgnoreRules(root)),
                jobs=self.config.core.checksum_jobs or os.cpu_count() or 1,
            ),
            warn=self.warn,
            neighbour=self.original.store if self.original else None,
        )

    def site(
        self,
        project: Project,
        *,
        edits: Mapping[Location, bytes] | None = None,
        disposable: bool = False,
    ) -> Site:
        """The workspace as a place to look at stages, with `edits` not yet written.

        Lock files of a `disposable` one need not survive a crash.
        """
        root = self.place.root
        return Site(
            root=root,
            project=project,
            store=self.store,
            probe=WorkspaceProbe(root, self.store, edits or {}, self.yaml),
            records=Records(root, self.files, project.data, disposable=disposable),
            git_ignores=None,
            warn=self.warn,
        )


def open_project(start: str, *, env: Mapping[str, str], warn: Callable[[str], None]) -> Opened:
    """The DVC project around the directory `start`. Raises ProjectError, as NotAProject."""
    place = find_project(start)
    config = load_config(place.dvc_dir, config_places(env, platform=sys.platform))
    opened = Opened(place=place, config=config, env=env, warn=warn, records_dir=place.state_dir)
    if os.path.islink(place.tmp_dir):
        _require_own_link(opened)
    with suppress(OSError):  # Whoever needs it will say so.
        os.makedirs(place.state_dir, mode=0o700, exist_ok=True)
    return opened


def _place_of(repository: Repository) -> GitPlace:
    return GitPlace(
        work_tree=repository.workdir,
        git_dir=repository.git_dir,
        common_dir=repository.common_dir,
    )


def _require_own_link(opened: Opened) -> None:
    """Refuse a link that came with the repository: it may lead to whatever is the user's."""
    place = opened.place
    if place.git is None:
        return
    tmp_dir = os.path.join(place.prefix, os.path.relpath(place.tmp_dir, place.root))
    if any(entry.path == tmp_dir for entry in opened.repository.read_index().entries):
        raise ProjectError(
            "is a link that Git tracks, and exprun's state may not lie behind one",
            where=place.tmp_dir,
            hint="git rm --cached, and remove it",
        )
