"""The store: the DVC cache and its neighbours, as the rest of exprun uses them.

What only hashes and asks is loaded with this module; what writes is loaded when it is first used,
because a command that finds nothing to do should not pay for it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from exprun.errors import StoreError
from exprun.model.values import dataclass
from exprun.store.adding import Adder
from exprun.store.confine import confine
from exprun.store.exchange import RemoteConfig, Transferred
from exprun.store.failures import ignore_warning, reporting
from exprun.store.inspecting import Inspector
from exprun.store.links import DEFAULT_TYPES, Linker, LinkType, Refusals
from exprun.store.modes import Modes
from exprun.store.objects import Objects
from exprun.store.runcache import RunCache
from exprun.store.statcache import StatCache

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from types import TracebackType

    from exprun.model.lock import Content, Oid
    from exprun.store.checkout import Checkout
    from exprun.store.collecting import Collector
    from exprun.store.remotes import RemoteFiles
    from exprun.store.transfer import Transfer
    from exprun.store.walk import IgnoreRules


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Where the cache is and how it is used.

    `records` is the directory of the stat records, of one user and project; None does without.
    `jobs` bounds the threads that hash large files.
    """

    cache_dir: str
    records: str | None = None
    link_types: tuple[LinkType, ...] = DEFAULT_TYPES
    shared: bool = False
    ignore: IgnoreRules | None = None
    jobs: int = 1


class Store:
    """The cache of a project. Synchronous; safe to use from several threads at once.

    Paths are absolute. What writes or removes takes the workspace's `root` and raises StoreError
    before it would touch anything outside. All methods raise StoreError for what goes wrong with
    files, NoSpace where space has run out.
    """

    def __init__(
        self,
        config: StoreConfig,
        *,
        warn: Callable[[str], None] = ignore_warning,
        neighbour: Store | None = None,
    ) -> None:
        """`neighbour`: a store of the same cache for another workspace, with the same records.

        They are kept open until that one is closed. What this one creates is not remembered: a
        workspace beside the user's goes as a whole.
        """
        self.config = config
        self._modes: Modes = neighbour._modes if neighbour else Modes.current(shared=config.shared)
        self._beside = neighbour
        self._is_owner = neighbour is None
        self._stats: StatCache = neighbour._stats if neighbour else StatCache(config.records)
        self._refused: Refusals = neighbour._refused if neighbour else set()
        cache_dir = os.path.abspath(config.cache_dir)
        self.cache_dir = cache_dir
        self._current: _Layout = self._open_layout(
            f"{cache_dir}/files/md5", warn, neighbour._current if neighbour else None
        )
        self._legacy: _Layout = self._open_layout(
            cache_dir, warn, neighbour._legacy if neighbour else None
        )
        self.runs = RunCache(f"{cache_dir}/runs", modes=self._modes, warn=warn)
        """The run cache."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Writes the stat records out and releases them. They are opened again when needed."""
        if self._is_owner:
            self._stats.close()

    def content(self, path: str, *, legacy: bool = False) -> Content | None:
        """What is at `path`, or None if there is nothing."""
        with reporting("hash", path):
            return self._layout(legacy).inspector.content(path)

    def has(self, content: Content, *, verify: bool = False) -> bool:
        """Whether the cache holds `content`, for a directory with every file of it.

        As in DVC, an object of mode 0444 is believed; with `verify` only a record made after
        reading it is. Damaged objects are set aside either way.
        """
        with reporting("read the cache", self.cache_dir):
            return not self.missing(content, verify=verify)

    def missing(self, content: Content, *, verify: bool = False) -> tuple[Oid, ...]:
        """The objects that `has` finds missing; for want of a manifest, that alone."""
        layout = self._layout(content.legacy)
        objects, links = layout.objects, layout.inspector.links
        with reporting("read the cache", self.cache_dir):
            if verify:
                if content.is_dir:
                    return objects.verify_directory(content.oid).missing
                return objects.verify([content.oid]).missing
            if not objects.has(content.oid):
                return (content.oid,)
            if not content.is_dir:
                return ()
            if links is not None and links.oid == content.oid and objects.has_linked(links):
                return ()
            return objects.missing_files(content.oid)

    @property
    def lends_files(self) -> bool:
        """Whether a file in the workspace may be an object of the cache itself, by a link."""
        return not {"hardlink", "symlink"}.isdisjoint(self.config.link_types)

    def lends_to(self, directory: str) -> bool:
        """Whether data below `directory` takes no space of its own there, be it checked out or
        what stages have made.
        """
        try:
            cache, device = os.stat(self.cache_dir).st_dev, os.stat(directory).st_dev
        except OSError:
            return False
        linker = Linker(self.config.link_types, self._refused)
        return not linker.accepts_copies and linker.first(cache, device) in ("hardlink", "symlink")

    def damaged(self, content: Content, *, at: str | None = None) -> tuple[Oid, ...]:
        """The objects of `content` that are there but damaged. They are set aside.

        If `content` told of the directory `at` just before, and that is links to the very objects
        that were verified, as they were then, they are not looked at again.
        """
        layout = self._layout(content.legacy)
        objects = layout.objects
        if at is not None and (key := layout.inspector.keys.get(at)) is not None:
            if key == objects.verified.get(content.oid):
                return ()
        with reporting("read the cache", self.cache_dir):
            found = objects.damaged([content.oid])
            if content.is_dir and not found and objects.is_known_sound(content.oid):
                return ()
            if content.is_dir and not found and os.path.lexists(objects.path(content.oid)):
                found = objects.damaged(objects.manifest(content.oid).values())
        return found

    def files(self, content: Content) -> dict[str, Oid]:
        """The files of a directory by relative path. Raises MissingObjects."""
        with reporting("read the cache", self.cache_dir):
            return dict(self._layout(content.legacy).objects.manifest(content.oid))

    def object_path(self, content: Content) -> str:
        """Where the object of `content` is, or would be."""
        return self._layout(content.legacy).objects.path(content.oid)

    def collect(
        self,
        path: str,
        *,
        root: str,
        legacy: bool = False,
        plain: bool = False,
        relink: bool = True,
    ) -> Content:
        """Brings what is at `path` into the cache and links it back; what it is.

        With `plain` the workspace gets plain copies whatever the configured links are: for
        metrics and plots that only the run cache stores; without `relink` it stays as it is.
        Raises StoreError if there is nothing.
        """
        place = confine(path, root)
        with reporting("collect", path):
            content = self._layout(legacy).collector(plain=plain, relink=relink).collect(place)
            self._note_created(place, content)
        return content

    def checkout(
        self,
        content: Content,
        path: str,
        *,
        root: str,
        plain: bool = False,
        seen: Callable[[Content], None] | None = None,
    ) -> bool:
        """Makes `path` hold `content`, overwriting what is there; whether it had to change.

        `seen` is told what `content` would say of the path now, if that is known without asking.
        Raises MissingObjects, with nothing touched, if the cache lacks something needed.
        """
        place = confine(path, root)
        with reporting("check out", path):
            checkout = self._layout(content.legacy).checkout(plain=plain, seen=seen)
            changed = checkout.checkout(content, place)
            if changed:
                self._note_created(place, content)
        return changed

    def unsaved(self, content: Content, path: str) -> str | None:
        """A file that a checkout of `content` would take away for good: it is not in the cache."""
        layout = self._layout(content.legacy)
        with reporting("look at", path):
            return layout.checkout(plain=False, seen=None).unsaved(content, path)

    def intact(self, content: Content, path: str, *, root: str) -> Content | None:
        """What is at `path`, if it holds `content` and looks as `checkout` makes it.

        Files that DVC ignores are part of no content, but of how it looks.
        """
        from exprun.store.intact import Intactness

        place = confine(path, root)
        layout = self._layout(content.legacy)
        beside = self._beside._layout(content.legacy) if self._beside else None
        with reporting("look at", path):
            linker = Linker(self.config.link_types, self._refused)
            first = linker.first(os.stat(self.cache_dir).st_dev, os.lstat(place).st_dev)
            intactness = Intactness(
                objects=layout.objects,
                inspector=layout.inspector,
                modes=self._modes,
                types=linker.types,
                copies=linker.accepts_copies or first == "copy",
                links=beside.inspector.links if beside else None,
            )
            return intactness.intact(content, place)

    def remove_output(self, path: str, *, root: str) -> None:
        """Removes a file, symlink or directory, read-only ones too, if there is one."""
        from exprun.store.removal import remove

        place = confine(path, root)
        with reporting("remove", path):
            remove(place)

    def unprotect(self, path: str, *, root: str) -> None:
        """Makes a persistent output writable: links become copies. Nothing there is fine."""
        from exprun.store.removal import unprotect

        place = confine(path, root)
        with reporting("unprotect", path):
            if os.path.exists(place):
                unprotect(place, self._modes.file)

    def remove_unused_outputs(self, root: str, used: Collection[str]) -> list[str]:
        """Removes what this store once put below `root`, that no output in `used` names now.

        Modified ones stay. Returns the paths removed.
        """
        from exprun.store.created import remove_unused

        if not self._is_owner:  # Nothing here is remembered.
            return []
        with reporting("remove unused outputs", root):
            return remove_unused(self._stats, root, used, self._holds)

    def fetch(self, contents: Iterable[Content], remote: RemoteConfig) -> Transferred:
        """Brings what is missing of `contents` from a remote into the cache.

        What the remote lacks is reported as missing, not raised.
        """
        from exprun.store.transfer import Transfer

        return self._transfer(contents, remote, Transfer.fetch)

    def push(self, contents: Iterable[Content], remote: RemoteConfig) -> Transferred:
        """Copies `contents` to a remote; what the cache lacks is reported as missing."""
        from exprun.store.transfer import Transfer

        return self._transfer(contents, remote, Transfer.push)

    def fetch_runs(self, remote: RemoteConfig) -> int:
        """Copies the run-cache entries of a remote that are absent here; how many."""
        from exprun.store.transfer import pull_runs

        files = self._run_remote(remote)
        with reporting("fetch the run cache", self.runs.root):
            self._modes.make_cache_directory(self.runs.root)
            return pull_runs(self.runs, files, self.runs.root)

    def push_runs(self, remote: RemoteConfig) -> int:
        """Copies the run-cache entries a remote lacks to it; how many."""
        from exprun.store.transfer import push_runs

        with reporting("push the run cache", self.runs.root):
            return push_runs(self.runs, self._run_remote(remote))

    def sync(self, contents: Iterable[Content]) -> None:
        """Makes the objects of all `contents` durable, in one go."""
        from exprun.store.durability import sync_files

        paths: set[str] = set()
        with reporting("flush the cache", self.cache_dir):
            for content in contents:
                objects = self._layout(content.legacy).objects
                paths.add(objects.path(content.oid))
                if content.is_dir:
                    paths.update(map(objects.path, objects.manifest(content.oid).values()))
            sync_files(paths)

    def _transfer(
        self,
        contents: Iterable[Content],
        remote: RemoteConfig,
        action: Callable[[Transfer, Iterable[Oid]], Transferred],
    ) -> Transferred:
        from exprun.store.remotes import open_remote
        from exprun.store.transfer import Transfer

        files = open_remote(remote)
        copied: tuple[Oid, ...] = ()
        missing: tuple[Oid, ...] = ()
        wanted = list(contents)
        with reporting("transfer objects", self.cache_dir):
            for layout in (self._current, self._legacy):
                oids = [c.oid for c in wanted if c.legacy == layout.objects.legacy]
                transfer = Transfer(
                    objects=layout.objects, adder=layout.adder, remote=files, jobs=remote.jobs
                )
                done = action(transfer, oids)
                copied, missing = copied + done.copied, missing + done.missing
        return Transferred(copied=copied, missing=missing)

    def _run_remote(self, remote: RemoteConfig) -> RemoteFiles:
        from exprun.store.remotes import open_remote

        if remote.url.startswith(("http://", "https://")):
            raise StoreError(f"remote {remote.name!r} is an http server, which has no run cache")
        return open_remote(remote)

    def _note_created(self, place: str, content: Content) -> None:
        if self._is_owner:
            self._stats.record_created(place, content)

    def _holds(self, path: str, content: Content) -> bool:
        with suppress(StoreError, OSError):
            if os.path.islink(path):
                return os.readlink(path) == self.object_path(content)
            return content.same_data(self._layout(content.legacy).inspector.content(path))
        return False

    def _layout(self, legacy: bool) -> _Layout:
        return self._legacy if legacy else self._current

    def _open_layout(
        self, root: str, warn: Callable[[str], None], neighbour: _Layout | None
    ) -> _Layout:
        objects = Objects(
            root,
            set_aside=f"{self.cache_dir}/corrupt",
            modes=self._modes,
            stats=self._stats,
            legacy=root == self.cache_dir,
            jobs=self.config.jobs,
            warn=warn,
            manifests=neighbour.objects.manifests if neighbour else None,
        )
        inspector = Inspector(
            objects, self._stats, ignore=self.config.ignore, jobs=self.config.jobs
        )
        return _Layout(
            objects=objects,
            inspector=inspector,
            adder=Adder(objects, self._modes),
            stats=self._stats,
            modes=self._modes,
            config=self.config,
            refused=self._refused,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """One layout of the cache with all that works on it."""

    objects: Objects
    inspector: Inspector
    adder: Adder
    stats: StatCache
    modes: Modes
    config: StoreConfig
    refused: Refusals

    def collector(self, *, plain: bool, relink: bool) -> Collector:
        from exprun.store.collecting import Collector
        from exprun.store.relinking import Relinker

        types = self._types(plain)
        ways: tuple[LinkType, ...] = ("reflink", "copy")
        if relink and types[0] == "hardlink":
            ways = ("reflink", "hardlink", "copy")
        relinker = Relinker(
            objects=self.objects,
            linker=Linker(types, self.refused),
            modes=self.modes,
            stats=self.stats,
        )
        return Collector(
            inspector=self.inspector,
            objects=self.objects,
            adder=self.adder,
            linker=Linker(ways, self.refused),
            relinker=relinker if relink else None,
            stats=self.stats,
            jobs=self.config.jobs,
        )

    def checkout(self, *, plain: bool, seen: Callable[[Content], None] | None) -> Checkout:
        from exprun.store.checkout import Checkout

        return Checkout(
            objects=self.objects,
            inspector=self.inspector,
            linker=Linker(self._types(plain), self.refused),
            stats=self.stats,
            seen=seen,
        )

    def _types(self, plain: bool) -> tuple[LinkType, ...]:
        return ("copy",) if plain else self.config.link_types
