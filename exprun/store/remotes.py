"""The files of a DVC remote: a directory, or whatever fsspec can reach."""

from __future__ import annotations

import os
import posixpath
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from exprun.errors import StoreError
from exprun.store.failures import store_error
from exprun.store.links import copy_file, publish
from exprun.store.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.store.exchange import RemoteConfig


class RemoteFiles(Protocol):
    """The files below a remote's URL, by relative POSIX path. Thread-safe.

    All methods raise FileNotFoundError for an absent file and StoreError for other failures.
    """

    def get(self, path: str, target: str) -> None:
        """Copies a file of the remote to the new local file `target`."""

    def put(self, source: str, path: str, mode: int) -> None:
        """Copies a local file to the remote, atomically where it is a directory."""

    def exists(self, path: str) -> bool:
        """Whether the remote has the file."""

    def find(self, prefix: str) -> list[str]:
        """All files below the directory `prefix`; none if it is absent."""


def open_remote(config: RemoteConfig) -> RemoteFiles:
    """The files of a remote. Nothing is contacted yet.

    Raises StoreError for kinds of remotes that are not supported, or lack a package.
    """
    for option in ("version_aware", "worktree"):
        if config.options.get(option):
            raise StoreError(
                f"remote {config.name!r} is {option}, which exprun cannot read",
                hint="fetch the data with 'dvc fetch' first",
            )
    scheme, separator, rest = config.url.partition("://")
    if not separator or scheme == "file":
        root = rest if separator else config.url
        if not os.path.isabs(root):
            raise StoreError(f"remote {config.name!r} has a relative url {config.url!r}")
        return _Directory(root, config.name)
    return _open_fsspec(config, scheme.lower())


class _Directory:
    """A remote that is a local directory."""

    def __init__(self, root: str, name: str) -> None:
        self._root = root
        self._name = name

    def get(self, path: str, target: str) -> None:
        with self._reporting(self._place(path)):
            copy_file(self._place(path), target)

    def put(self, source: str, path: str, mode: int) -> None:
        place = self._place(path)
        temporary = f"{os.path.dirname(place)}/.{os.urandom(8).hex()}.tmp"
        with self._reporting(place):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            copy_file(source, temporary)
            publish(temporary, place, mode)

    def exists(self, path: str) -> bool:
        return os.path.isfile(self._place(path))

    def find(self, prefix: str) -> list[str]:
        with self._reporting(self._place(prefix)):
            return [
                os.path.relpath(os.path.join(directory, name), self._root)
                for directory, _, names in os.walk(self._place(prefix))
                for name in names
            ]

    def _place(self, path: str) -> str:
        return os.path.join(self._root, path)

    @contextmanager
    def _reporting(self, place: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise store_error(error, f"use remote {self._name!r}", place) from error


class _Fsspec:
    """A remote behind a file system of fsspec."""

    def __init__(self, fs: Any, config: RemoteConfig) -> None:
        self._fs = fs
        self._root = str(fs._strip_protocol(config.url)).rstrip("/")
        self._name = config.name

    def get(self, path: str, target: str) -> None:
        with self._reporting(path):
            try:
                self._fs.get_file(self._place(path), target)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(target)
                raise

    def put(self, source: str, path: str, mode: int) -> None:
        place = self._place(path)
        with self._reporting(path):
            self._fs.makedirs(posixpath.dirname(place), exist_ok=True)
            self._fs.put_file(source, place)

    def exists(self, path: str) -> bool:
        with self._reporting(path):
            return bool(self._fs.exists(self._place(path)))

    def find(self, prefix: str) -> list[str]:
        with self._reporting(prefix):
            try:
                found = self._fs.find(self._place(prefix))
            except FileNotFoundError:
                return []
            return [posixpath.relpath(place, self._root) for place in found]

    def _place(self, path: str) -> str:
        return f"{self._root}/{path}"

    @contextmanager
    def _reporting(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, StoreError):
            raise
        except Exception as error:
            # Every back end has exceptions of its own; they share no base class.
            message = str(error) or type(error).__name__
            raise StoreError(
                f"remote {self._name!r} failed: {message}", where=self._place(path)
            ) from error


def _open_fsspec(config: RemoteConfig, scheme: str) -> RemoteFiles:
    protocol = PROTOCOLS.get(scheme)
    if protocol is None:
        raise StoreError(
            f"remote {config.name!r} has a url of a kind exprun cannot read: {config.url}",
            hint="fetch the data with 'dvc fetch' first",
        )
    import fsspec

    try:
        cls = fsspec.get_filesystem_class(protocol.fsspec)
    except (ImportError, ValueError) as error:
        raise StoreError(
            f"remote {config.name!r} needs a package that is not installed: {error}",
            hint=f"pip install '{protocol.install}'",
        ) from error
    try:
        return _Fsspec(cls(**protocol.options(config.options, config.url)), config)
    except Exception as error:
        raise StoreError(f"remote {config.name!r} cannot be set up: {error}") from error
