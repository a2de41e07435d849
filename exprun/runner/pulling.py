"""Missing data fetched from the DVC remotes, for ``--pull``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.errors import ConfigError, ProjectError, StoreError
from exprun.model.paths import is_inside
from exprun.store.exchange import RemoteConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exprun.model.lock import Content, LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.project.config import Config
    from exprun.runner.site import Site
    from exprun.store.cache import Store


_REFERENCE = "remote://"


class NoRemote(ConfigError):
    """No remote is the default one."""


class NotSaved(ProjectError):
    """Data that is to be pulled is there, edited, and in no cache."""


class Puller:
    """Fetches into the cache from the remotes that `config` names.

    What cannot be fetched is only warned of, but to need a remote that is named and not configured
    raises ConfigError, as in DVC. Edits that are in no cache are only replaced for an experiment,
    which starts from what is recorded.
    """

    def __init__(
        self,
        store: Store,
        config: Config,
        warn: Callable[[str], None],
        *,
        replaces_edits: bool,
    ) -> None:
        self._store = store
        self._config = config
        self._warn = warn
        self._replaces_edits = replaces_edits

    def fetch_runs(self) -> None:
        """Bring the remote's run-cache entries into the run cache."""
        try:
            self._store.fetch_runs(find_remote(self._config, None))
        except (ConfigError, StoreError) as error:
            self._warn(f"the run cache was not pulled: {error}")

    def fetch_outputs(self, stage: Stage, entry: LockedStage | None) -> bool:
        """Fetch the cached outputs that `entry` records; whether all of them are there now."""
        recorded = {out.path: out.content for out in entry.outs} if entry else {}
        by_remote: dict[str | None, list[Content]] = {}
        for out in stage.outs:
            if out.cache:
                content = recorded.get(out.path)
                if content is None:
                    return False
                by_remote.setdefault(out.remote, []).append(content)
        return all(self._fetch(name, contents) for name, contents in by_remote.items())

    def fetch_dependencies(self, stage: Stage, site: Site) -> None:
        """Fetch and check out what `stage` reads and does not exist, if another stage makes it."""
        for dep in stage.deps:
            if dep.source is None and site.probe.content(dep.location) is None:
                self._bring(dep.location, site)

    def require_saved(self, location: Location, content: Content, site: Site) -> None:
        """Raise NotSaved if `content` would replace edits that must not be lost."""
        lost = None if self._replaces_edits else self._store.unsaved(content, site.path(location))
        if lost is not None:
            raise NotSaved(
                f"'{os.path.relpath(lost, site.root)}' is not saved, and would be replaced by what "
                "is pulled",
                hint="move it away, or leave out --pull",
            )

    def _bring(self, location: Location, site: Site) -> None:
        for maker in site.project.stages:
            for out in maker.outs:
                if out.cache and is_inside(location, out.location):
                    entry = site.records.entry(maker)
                    recorded = {o.path: o.content for o in entry.outs} if entry else {}
                    content = recorded.get(out.path)
                    if content is not None and self._fetch(out.remote, [content]):
                        self.require_saved(out.location, content, site)
                        site.store.checkout(content, site.path(out.location), root=site.root)

    def _fetch(self, remote: str | None, contents: Iterable[Content]) -> bool:
        missing = [content for content in contents if not self._store.has(content, verify=True)]
        if not missing:
            return True
        try:
            return not self._store.fetch(missing, find_remote(self._config, remote)).missing
        except (NoRemote, StoreError) as error:
            self._warn(f"data was not pulled: {error}")
            return False


def find_remote(config: Config, name: str | None) -> RemoteConfig:
    """The DVC remote of that name, or the default one. Raises ConfigError."""
    name = name or config.core.remote
    if name is None:
        raise NoRemote(
            "no remote is specified", hint="dvc remote default NAME, or set `remote` on outputs"
        )
    return _find(config, name, within=frozenset())


def _find(config: Config, name: str, within: frozenset[str]) -> RemoteConfig:
    """A remote by name; if its URL is ``remote://other/path``, it is a place in that other one.

    `within` are those whose URLs have led here.
    """
    remote = config.remotes.get(name.lower())
    if remote is None:
        raise ConfigError(f"remote '{name}' is not configured", hint="dvc remote list")
    if remote.name in within:
        raise ConfigError(f"the url of remote '{name}' leads back to it", where=remote.where)
    if not remote.url.startswith(_REFERENCE):
        return RemoteConfig(name=name, url=remote.url, options=remote.options)
    other, _, path = remote.url.removeprefix(_REFERENCE).partition("/")
    outer = _find(config, other, within | {remote.name})
    return RemoteConfig(
        name=name,
        url=f"{outer.url}/{path.lstrip('/')}",
        options={**outer.options, **remote.options},
    )
