"""Listing the files of a directory with their stats, and a fingerprint of such a listing."""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import contextmanager
from stat import S_ISREG
from typing import TYPE_CHECKING, Protocol

from exprun.errors import StoreError
from exprun.model.values import dataclass, field
from exprun.store.modes import OBJECT_MODE

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping, Sequence

IGNORE_FILE = ".dvcignore"

_DIRECTORY = os.O_DIRECTORY | os.O_CLOEXEC
# To go through a directory it need not be readable.
_BASE = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY


class IgnoreRules(Protocol):
    """Which names below a directory do not count."""

    def filter(
        self, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> tuple[list[str], list[str]]:
        """The names of `dirpath` that remain: directories (also linked ones), and files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files below a directory by relative path, in code point order.

    Symlinks to files have their target's stat; symlinks to directories are left out, as DVC does.
    `odd` names broken symlinks and special files. `directories` has the modes of directories, the
    listed one, ``""``, among them; `skips` tells whether there is anything besides all these.
    """

    files: Mapping[str, os.stat_result]
    symlinks: frozenset[str] = field(default=frozenset())
    odd: frozenset[str] = field(default=frozenset())
    directories: Mapping[str, int] = field(default_factory=dict)
    skips: bool = False

    @property
    def size(self) -> int:
        return sum(found.st_size for found in self.files.values())


def list_files(path: str, ignore: IgnoreRules | None = None) -> Listing:
    """What DVC would hash below `path`.

    Raises OSError if a directory cannot be read, StoreError for a ``.dvcignore`` below `path`.
    """
    walker = _Walker(ignore)
    pending = [(path, "")]
    while pending:
        directory, prefix = pending.pop()
        pending.extend(
            (f"{directory}/{name}", f"{prefix}{name}/") for name in walker.visit(directory, prefix)
        )
    return Listing(
        files={relpath: walker.files[relpath] for relpath in sorted(walker.files)},
        symlinks=frozenset(walker.symlinks),
        odd=frozenset(walker.odd),
        directories=walker.directories,
        skips=walker.skips,
    )


def list_inodes(
    path: str, ignore: IgnoreRules | None, *, device: int, mode: int
) -> dict[str, int] | None:
    """The inodes of the files below `path` by relative path, in order, without looking at any.

    None if there is anything besides: links, directories of another `device` or `mode`, empty ones
    or what is ignored. Raises OSError.
    """
    inodes: dict[str, int] = {}
    pending = [(path, "")]
    while pending:
        directory, prefix = pending.pop()
        files, directories = [], []
        with _opened(directory) as fd, os.scandir(fd) as entries:
            found = os.fstat(fd)
            if (found.st_dev, found.st_mode) != (device, mode):
                return None
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    files.append(entry.name)
                    inodes[prefix + entry.name] = entry.inode()
                elif entry.is_dir(follow_symlinks=False):
                    directories.append(entry.name)
                else:
                    return None
        if not (files or directories):
            return None
        if ignore is not None and ignore.filter(directory, directories, files) != (
            directories,
            files,
        ):
            return None
        pending.extend((f"{directory}/{name}", f"{prefix}{name}/") for name in directories)
    return {relpath: inodes[relpath] for relpath in sorted(inodes)}


def require_regular(listing: Listing, path: str) -> None:
    """Raises StoreError if `listing` holds what cannot be hashed."""
    if listing.odd:
        raise StoreError(
            "neither a file nor a directory (a broken symlink, a pipe or a socket)",
            where=os.path.join(path, min(listing.odd)),
            hint="remove it, or name it in .dvcignore",
        )


def fingerprint(
    files: Mapping[str, os.stat_result],
    *,
    legacy: bool = False,
    hardlinked: Container[str] = (),
) -> str:
    """A digest that differs as soon as a file comes, goes or changes.

    `files` has to be in order. Two directories share it only if they link the same inodes.
    The stats of `hardlinked` files are those of cached objects that had no link then.
    """
    count = len(files)
    modes, inodes, devices, links, sizes = columns(files.values())
    mtimes = [found.st_mtime_ns for found in files.values()]
    # The ctime catches a file replaced by another of the same inode number, size and mtime (which
    # unpacked archives do have). For a hard link of a cached object it is useless: it moves
    # whenever any workspace links or drops that object.
    ctimes = [
        0
        if mode & 0o7777 == OBJECT_MODE and (names > 1 or relpath in hardlinked)
        else found.st_ctime_ns
        for (relpath, found), mode, names in zip(files.items(), modes, links, strict=True)
    ]
    numbers = struct.pack(
        f"<Q{2 * count}Q{3 * count}q", count, *devices, *inodes, *sizes, *mtimes, *ctimes
    )
    digest = hashlib.blake2b(numbers, digest_size=16, person=b"legacy" if legacy else b"")
    digest.update("\0".join(files).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def placement(relpaths: Collection[str], inodes: Collection[int]) -> str:
    """A digest that tells which file, by relative path in order, is which inode."""
    numbers = struct.pack(f"<Q{len(inodes)}Q", len(inodes), *inodes)
    digest = hashlib.blake2b(numbers, digest_size=16)
    digest.update("\0".join(relpaths).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def columns(states: Collection[os.stat_result]) -> tuple[Sequence[int], ...]:
    """The modes, inodes, devices, numbers of links and sizes of files.

    Of very many files, it is faster to take the tuples apart than to ask for one field at a time.
    """
    if not states:
        return (), (), (), (), ()
    modes, inodes, devices, links, _, _, sizes, *_ = zip(*states, strict=True)
    return modes, inodes, devices, links, sizes


@contextmanager
def base(directory: str) -> Iterator[int]:
    """A directory as the ``dir_fd`` of many calls: the way to it is looked up once for all."""
    with _opened(directory, _BASE) as fd:
        yield fd


@contextmanager
def _opened(directory: str, flags: int = os.O_RDONLY | _DIRECTORY) -> Iterator[int]:
    fd = os.open(directory, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def same_state(first: os.stat_result, second: os.stat_result) -> bool:
    """Whether two stats tell of the same, unchanged file."""
    return (first.st_ino, first.st_size, first.st_mtime_ns, first.st_ctime_ns) == (
        second.st_ino,
        second.st_size,
        second.st_mtime_ns,
        second.st_ctime_ns,
    )


class _Walker:
    def __init__(self, ignore: IgnoreRules | None) -> None:
        self.ignore = ignore
        self.files: dict[str, os.stat_result] = {}
        self.symlinks: set[str] = set()
        self.odd: set[str] = set()
        self.directories: dict[str, int] = {}
        self.skips = False

    def visit(self, directory: str, prefix: str) -> list[str]:
        """Notes the files of one directory; the sub-directories to descend into."""
        found, directories, links, self.directories[prefix[:-1]] = _look_into(directory)
        names = list(found)
        if self.ignore is not None:
            count = len(directories) + len(names)
            directories, names = self.ignore.filter(directory, directories, names)
            self.skips |= len(directories) + len(names) < count
        if IGNORE_FILE in names:
            raise StoreError(
                f"a {IGNORE_FILE} cannot be inside data",
                where=f"{directory}/{IGNORE_FILE}",
                hint=f"move its patterns to a {IGNORE_FILE} above the data",
            )
        files = self.files
        for name in names:
            state = found[name]
            if state is not None:
                files[prefix + name] = state
            else:
                self.odd.add(prefix + name)
        if not links:
            return directories
        self.symlinks.update(prefix + name for name in links.intersection(names))
        real = [name for name in directories if name not in links]
        self.skips |= len(real) < len(directories)
        return real


def _look_into(
    directory: str,
) -> tuple[dict[str, os.stat_result | None], list[str], set[str], int]:
    """The files of a directory with their stats, None for what is none; the names of directories,
    linked ones too; which of all these are symlinks; and the directory's mode.
    """
    files: dict[str, os.stat_result | None] = {}
    directories = []
    links = set()
    with _opened(directory) as fd, os.scandir(fd) as entries:
        mode = os.fstat(fd).st_mode
        for entry in entries:
            name = entry.name
            if entry.is_symlink():
                links.add(name)
            try:
                if entry.is_dir():
                    directories.append(name)
                    continue
                state = entry.stat()
            except FileNotFoundError:
                files[name] = None
            except OSError as error:
                error.filename = f"{directory}/{name}"  # All it knows is the name.
                raise
            else:
                files[name] = state if S_ISREG(state.st_mode) else None
    return files, directories, links, mode
