"""Fetching objects from a remote, pushing them to one, and the same for the run cache."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.cores import on_all
from exprun.errors import StoreError
from exprun.model.lock import Oid, is_dir_oid
from exprun.model.patterns import pattern
from exprun.model.values import dataclass
from exprun.room import threads_that_fit
from exprun.store.exchange import Transferred
from exprun.store.failures import store_error
from exprun.store.hashing import hash_file
from exprun.store.modes import OBJECT_MODE
from exprun.store.objects import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exprun.store.adding import Adder
    from exprun.store.objects import Objects
    from exprun.store.remotes import RemoteFiles
    from exprun.store.runcache import RunCache

_RUN = pattern(r"runs/([0-9a-f]{2})/(\1[0-9a-f]{62})/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Copies between one layout of the cache and a remote, `jobs` files at a time."""

    objects: Objects
    adder: Adder
    remote: RemoteFiles
    jobs: int

    def fetch(self, oids: Iterable[Oid]) -> Transferred:
        """Brings objects into the cache, directories with all their files.

        Manifests come first, for what they list. Every file is hashed before it becomes an object.
        Raises StoreError if the remote fails or sends something else.
        """
        wanted = list(dict.fromkeys(oids))
        directories = [oid for oid in wanted if is_dir_oid(oid)]
        first = self._fetch_all(directories)
        members = [
            member
            for oid in directories
            if oid not in first.missing
            for member in self.objects.manifest(oid).values()
        ]
        files = [oid for oid in wanted if not is_dir_oid(oid)]
        second = self._fetch_all(dict.fromkeys([*files, *members]))
        return Transferred(
            copied=first.copied + second.copied, missing=first.missing + second.missing
        )

    def push(self, oids: Iterable[Oid]) -> Transferred:
        """Copies verified objects to the remote: a directory's files first, then its manifest.

        A manifest whose files are not all there stays behind.
        """
        missing: list[Oid] = []
        files: dict[Oid, None] = {}
        directories = []
        for oid in dict.fromkeys(oids):
            if not is_dir_oid(oid):
                files[oid] = None
            elif self.objects.is_sound(oid):
                directories.append(oid)
                files |= dict.fromkeys(self.objects.manifest(oid).values())
            else:
                missing.append(oid)
        missing += self.objects.verify(files).missing
        lost = set(missing)
        copied = self._push_all([oid for oid in files if oid not in lost])
        whole = [oid for oid in directories if lost.isdisjoint(self.objects.manifest(oid).values())]
        copied += self._push_all(whole)
        return Transferred(copied=tuple(copied), missing=tuple(missing))

    def _fetch_all(self, oids: Iterable[Oid]) -> Transferred:
        absent = self.objects.verify(oids).missing
        fetched = self._each(self._fetch_one, absent)
        return Transferred(
            copied=tuple(oid for oid, there in zip(absent, fetched, strict=True) if there),
            missing=tuple(oid for oid, there in zip(absent, fetched, strict=True) if not there),
        )

    def _fetch_one(self, oid: Oid) -> bool:
        temporary = self.adder.temporary(oid)
        try:
            self.remote.get(self._remote_path(oid), temporary)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise store_error(error, f"fetch {oid}", temporary) from error
        try:
            actual, _ = hash_file(temporary, legacy=self.objects.legacy and not is_dir_oid(oid))
            if actual != bare(oid):
                raise StoreError(
                    f"the remote's copy of {oid} is damaged", where=self._remote_path(oid)
                )
            self.adder.publish(temporary, oid)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        return True

    def _push_all(self, oids: list[Oid]) -> list[Oid]:
        pushed = self._each(self._push_one, oids)
        return [oid for oid, done in zip(oids, pushed, strict=True) if done]

    def _push_one(self, oid: Oid) -> bool:
        path = self._remote_path(oid)
        if self.remote.exists(path):
            return False
        self.remote.put(self.objects.path(oid), path, OBJECT_MODE)
        return True

    def _each(self, action: Callable[[Oid], bool], oids: Iterable[Oid]) -> list[bool]:
        work = list(oids)
        threads = min(self.jobs, len(work))
        if threads > 1:
            threads = threads_that_fit(threads)
        if threads < 2:
            return [action(oid) for oid in work]
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(threads, thread_name_prefix="exprun-transfer")
        try:
            with on_all():
                return list(pool.map(action, work))
        finally:
            pool.shutdown(cancel_futures=True)

    def _remote_path(self, oid: Oid) -> str:
        prefix = "" if self.objects.legacy else "files/md5/"
        return f"{prefix}{oid[:2]}/{oid[2:]}"


def pull_runs(runs: RunCache, remote: RemoteFiles, scratch: str) -> int:
    """Copies the run-cache entries that are absent here; how many.

    `scratch` is a directory for temporary files. What is not named like an entry is left alone.
    """
    count = 0
    for path in remote.find("runs"):
        match = _RUN.fullmatch(path)
        if match is None or runs.has(match[2], match[3]):
            continue
        temporary = os.path.join(scratch, f".{os.urandom(8).hex()}.tmp")
        try:
            remote.get(path, temporary)
            with open(temporary, "rb") as file:
                runs.add(match[2], match[3], file.read())
            count += 1
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    return count


def push_runs(runs: RunCache, remote: RemoteFiles) -> int:
    """Copies the run-cache entries that the remote lacks; how many."""
    count = 0
    for key, value in runs.entries():
        path = f"runs/{key[:2]}/{key}/{value}"
        if not remote.exists(path):
            remote.put(runs.path(key, value), path, 0o644)
            count += 1
    return count
