"""What the files of a workspace hold now: the eyes of comparing."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING

from exprun.content import read_file
from exprun.errors import ParamsError
from exprun.formats.documents import load_params
from exprun.formats.reading import YamlReader, read_yaml
from exprun.model.files import OUT_OF_MEANS
from exprun.model.paths import place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.lockfile.compare import Probe
    from exprun.model.lock import Content
    from exprun.model.paths import Location
    from exprun.store.cache import Store

_Signature = tuple[int, int, int, int]


class WorkspaceProbe:
    """`exprun.lockfile.compare.Probe` of the workspace at the absolute path `root`.

    Parameter files are parsed once for as long as they do not change; `edits` are parameter files
    as they are going to be. Thread-safe.
    """

    def __init__(
        self,
        root: str,
        store: Store,
        edits: Mapping[Location, bytes] = MappingProxyType({}),
        yaml: YamlReader = read_yaml,
    ) -> None:
        self._root = root
        self._store = store
        self._yaml = yaml
        self._edited = {name: load_params(data, name=name) for name, data in edits.items()}
        self._params: dict[Location, tuple[_Signature, Mapping[str, object]]] = {}
        self.start = Glance(self)
        """What was seen of the data that a run starts from, until the first stage is prepared."""

    def content(self, location: Location, *, legacy: bool = False) -> Content | None:
        return self._store.content(place(self._root, location), legacy=legacy)

    def params(self, location: Location) -> Mapping[str, object] | None:
        if location in self._edited:
            return self._edited[location]
        path = place(self._root, location)
        try:
            found = os.stat(path)
            signature = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._params.get(location)
            if known is None or known[0] != signature:
                values = load_params(read_file(path), name=location, yaml=self._yaml)
                known = (signature, values)
                self._params[location] = known
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in OUT_OF_MEANS:
                raise
            raise ParamsError(f"cannot be read: {error.strerror}", where=location) from None
        return known[1]

    def has_objects(self, content: Content) -> bool:
        return self._store.has(content)


class Glance:
    """What `probe` sees at one moment: asks it about each path once. Thread-safe."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.params = probe.params
        self._contents: dict[tuple[Location, bool], Content | None] = {}
        self._held: dict[Content, bool] = {}

    def content(self, location: Location, *, legacy: bool = False) -> Content | None:
        key = (location, legacy)
        try:
            return self._contents[key]
        except KeyError:
            found = self._contents[key] = self._probe.content(location, legacy=legacy)
            return found

    def note(self, location: Location, content: Content) -> None:
        """Take `content`, of which the cache has all, for what `probe` would see at `location`."""
        self._contents[location, content.legacy] = content
        self._held[content] = True

    def forget(self, location: Location | None = None) -> None:
        """Forget what was seen, or what was seen at `location`: it is going to change."""
        if location is not None:
            for legacy in (False, True):
                self._contents.pop((location, legacy), None)
            return
        self._contents.clear()
        self._held.clear()

    def has_objects(self, content: Content) -> bool:
        held = self._held.get(content)
        if held is None:
            held = self._held[content] = self._probe.has_objects(content)
        return held


def content_like(probe: Probe, location: Location, recorded: Content | None) -> Content | None:
    """What is at `location`, hashed as DVC 2 did if that is what was recorded and still is."""
    if recorded is not None and recorded.legacy:
        legacy = probe.content(location, legacy=True)
        if recorded.same_data(legacy):
            return legacy
    return probe.content(location, legacy=False)
