"""A project's files together with the outputs that only the cache holds."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

from exprun.errors import StoreError
from exprun.model.lock import Content
from exprun.model.paths import Location, is_inside, is_outside
from exprun.results.listing import files_below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.results.reading import Description
    from exprun.store.cache import Store


class _Found(NamedTuple):
    """The output that a location is or lies in: what it holds, if recorded, and where inside."""

    content: Content | None
    inner: str


class DataFiles:
    """Reads a file where it is, else from the cache if it belongs to a recorded output.

    Nothing is fetched: what neither holds does not exist.
    """

    def __init__(self, project: Description, store: Store) -> None:
        self._project = project
        self._files = project.files
        self._store = store
        self._outputs: dict[Location, Content | None] | None = None

    def exists(self, location: Location) -> bool:
        return self._files.is_file(location) or self._files.is_dir(location)

    def expand(self, location: Location) -> Iterator[Location]:
        """The files of a directory, or the location itself."""
        if self._files.is_dir(location):
            yield from sorted(files_below(self._files, location))
            return
        found = None if self._files.is_file(location) else self._recorded(location)
        if found is None or found.content is None or not found.content.is_dir or found.inner:
            yield location
            return
        try:
            names = sorted(self._store.files(found.content))
        except StoreError:
            names = []
        yield from [Location(f"{location}/{name}") for name in names] or [location]

    def version(self, location: Location) -> str | None:
        """What changes with a file's content; None if that would have to be read."""
        version = self._files.version(location)
        if version == "" and (found := self._recorded(location)):
            # Kept apart from Git's names; what the cache lacks is looked for each time.
            return f"{found.content.oid}/{found.inner}" if found.content else None
        return version

    def read(self, location: Location) -> bytes:
        """The content of a file. Raises FileNotFoundError and its like."""
        if is_outside(location) or self.exists(location):
            return self._files.read(location)
        found = self._recorded(location)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), location)
        try:
            return self._read_cached(found)
        except (OSError, StoreError, KeyError):
            raise FileNotFoundError(errno.ENOENT, "No storage files available", location) from None

    def _read_cached(self, found: _Found) -> bytes:
        content = found.content
        if content is None:
            raise KeyError
        if content.is_dir:
            content = Content(oid=self._store.files(content)[found.inner], legacy=content.legacy)
        with open(self._store.object_path(content), "rb") as file:
            return file.read()

    def _recorded(self, location: Location) -> _Found | None:
        if self._outputs is None:
            self._outputs = dict(self._cached_outputs())
        for output, content in self._outputs.items():
            if is_inside(location, output):
                return _Found(content, location[len(output) + 1 :])
        return None

    def _cached_outputs(self) -> Iterator[tuple[Location, Content | None]]:
        for stage in self._project.stages():
            entry = self._project.entry(stage)
            recorded = {out.path: out.content for out in entry.outs} if entry else {}
            for out in stage.outs:
                if out.is_kept_in_cache:
                    yield out.location, recorded.get(out.path)
