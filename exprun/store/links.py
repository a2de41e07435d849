"""Bringing a cached object into a workspace: reflink, hardlink, symlink or copy.

The types are tried in the configured order; one that a file system refuses is dropped for that
pair of file systems, as DVC does.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal, assert_never

from exprun.cores import on_all
from exprun.errors import ConfigError, StoreError
from exprun.store.hashing import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LinkType = Literal["reflink", "hardlink", "symlink", "copy"]

DEFAULT_TYPES: tuple[LinkType, ...] = ("reflink", "copy")

Refusals = set[tuple[LinkType, int, int]]
"""Link types that do not work between two file systems; several linkers may share one."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FICLONE = 0x40049409
_MAX_COPY = 1 << 30
_BLOCK = 1 << 20
_REFUSED = {
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EXDEV,
    errno.ENOTTY,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EAGAIN,
}
_NO_KERNEL_COPY = _REFUSED | {errno.EBADF, errno.ETXTBSY, errno.EIO}


def parse_link_types(names: Sequence[str]) -> tuple[LinkType, ...]:
    """The link types of ``cache.type``. Raises ConfigError for an unknown one."""
    types: list[LinkType] = []
    for name in names:
        match name.strip():
            case ("reflink" | "hardlink" | "symlink" | "copy") as known:
                types.append(known)
            case other:
                raise ConfigError(
                    f"cache.type has an unknown link type {other!r}",
                    hint="use some of reflink, hardlink, symlink and copy",
                )
    return tuple(types) or DEFAULT_TYPES


class Linker:
    """Makes links of the given types, remembering which of them work where. Thread-safe."""

    def __init__(self, types: Sequence[LinkType], refused: Refusals | None = None) -> None:
        self.types = tuple(types)
        self._refused: Refusals = set() if refused is None else refused
        self._working: set[tuple[int, int]] = set()

    def link(self, source: str, found: os.stat_result, target: str, device: int) -> LinkType:
        """Makes `target`, which must not exist, hold `source`; the type that worked.

        `source` is no symlink and `found` its stat, `device` is the file system of `target`.
        Raises OSError (FileExistsError too) leaving nothing behind, StoreError if no type works.
        """
        for kind in self.types:
            if (kind, found.st_dev, device) in self._refused:
                continue
            try:
                _make(kind, source, found, target)
                return kind
            except OSError as error:
                if error.errno == errno.EMLINK:
                    # This one object has all the names it can have; others have not.
                    continue
                if kind == "copy" or error.errno not in _REFUSED:
                    raise
            self._refused.add((kind, found.st_dev, device))
        raise StoreError(
            f"none of the link types {', '.join(self.types)} works here",
            where=target,
            hint="add 'copy' to cache.type",
        )

    def require(self, source: str, found: os.stat_result, target: str, device: int) -> None:
        """Raises what `link` would because no type works: before what is at `target` is removed."""
        pair = (found.st_dev, device)
        if "copy" in self.types or pair in self._working:
            return
        trial = os.path.join(os.path.dirname(target), f".{os.urandom(8).hex()}.exprun")
        self.link(source, found, trial, device)
        os.unlink(trial)
        if found.st_size:  # An empty file is made, not linked.
            self._working.add(pair)

    def is_acceptable(self, path: str, object_path: str) -> bool:
        """Whether DVC would leave `path` linked to its object the way it is."""
        # DVC asks a symlink's target, too, whether it is hard-linked.
        found = os.stat(path)
        is_symlink = os.path.islink(path)
        is_hardlink = found.st_nlink > 1
        for kind in self.types:
            if kind in ("copy", "reflink") and not is_symlink and not is_hardlink:
                return True
            if kind == "hardlink" and is_hardlink:
                return os.path.samestat(found, os.stat(object_path))
            if kind == "symlink" and is_symlink:
                return os.readlink(path) == object_path
        return False

    def first(self, source: int, device: int) -> LinkType | None:
        """The type that is tried first between two file systems, as far as is known."""
        for kind in self.types:
            if (kind, source, device) not in self._refused:
                return kind
        return None

    @property
    def accepts_copies(self) -> bool:
        """Whether DVC leaves a plain copy alone."""
        return self.types[0] in ("copy", "reflink")


def copy_file(source: str, target: str, mode: int = 0o666) -> None:
    """Copies the bytes of `source` to a new file of `mode` (less the umask).

    Raises OSError, leaving no `target` unless another file had that name.
    """
    with _files(source, target, mode) as (reader, writer):
        size = os.fstat(reader).st_size
        if size < LARGE:
            _copy(reader, writer, size)
        else:
            with on_all():
                _copy(reader, writer, size)


def _copy(reader: int, writer: int, size: int) -> None:
    if not _copy_in_kernel(reader, writer, size):
        while block := os.read(reader, _BLOCK):
            _write_all(writer, block)


def write_file(target: str, data: bytes, mode: int = 0o666) -> None:
    """Makes a new file of `mode` (less the umask) that holds `data`.

    Raises OSError, leaving no `target` unless another file had that name.
    """
    # As `_new_file`, without the price of a context manager for each of very many files.
    writer = os.open(target, _NEW, mode)
    try:
        try:
            _write_all(writer, data)
        finally:
            os.close(writer)
    except BaseException:
        with suppress(OSError):
            os.unlink(target)
        raise


def publish(temporary: str, path: str, mode: int | None = None) -> None:
    """Gives a new file its mode, if it has not got that, and its name: whole, or not at all.

    What had the name is replaced. Raises OSError, and then the new file is gone.
    """
    try:
        if mode is not None:
            os.chmod(temporary, mode)
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _make(kind: LinkType, source: str, found: os.stat_result, target: str) -> None:
    match kind:
        case "hardlink" if found.st_size == 0:
            # File systems limit the names of an inode, and empty files are many.
            write_file(target, b"")
        case "hardlink":
            os.link(source, target)
        case "symlink":
            os.symlink(source, target)
        case "reflink":
            _reflink(source, target)
        case "copy":
            copy_file(source, target)
        case _:
            assert_never(kind)


def _reflink(source: str, target: str) -> None:
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    import fcntl

    with _files(source, target, 0o666) as (reader, writer):
        fcntl.ioctl(writer, _FICLONE, reader)


@contextmanager
def _files(source: str, target: str, mode: int) -> Iterator[tuple[int, int]]:
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _new_file(target, mode) as writer:
            yield reader, writer
    finally:
        os.close(reader)


@contextmanager
def _new_file(target: str, mode: int) -> Iterator[int]:
    writer = os.open(target, _NEW, mode)
    try:
        try:
            yield writer
        finally:
            # Network file systems report a full quota no earlier than here.
            os.close(writer)
    except BaseException:
        with suppress(OSError):
            os.unlink(target)
        raise


def _copy_in_kernel(reader: int, writer: int, size: int) -> bool:
    """Copies without passing the bytes through Python; False to go on by hand from here."""
    if not hasattr(os, "copy_file_range"):
        return False
    copied = 0
    while copied < size:
        try:
            count = os.copy_file_range(reader, writer, min(size - copied, _MAX_COPY))
        except OSError as error:
            if error.errno in _NO_KERNEL_COPY:
                return False
            raise
        if not count:
            return False
        copied += count
    return True


def _write_all(writer: int, data: bytes) -> None:
    count = os.write(writer, data)
    rest = memoryview(data)[count:]
    while rest:
        rest = rest[os.write(writer, rest) :]
