"""Listing the files of a directory with their stats, and a fingerprint of such a listing."""

from __future__ import annotations

import hashlib
import marshal
import os
import stat
from typing import TYPE_CHECKING, Protocol

from exprun.errors import StoreError
from exprun.model.values import dataclass, field
from exprun.store.modes import OBJECT_MODE

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

IGNORE_FILE = ".dvcignore"


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
    `odd` names broken symlinks and special files.
    """

    files: Mapping[str, os.stat_result]
    symlinks: frozenset[str] = field(default=frozenset())
    odd: frozenset[str] = field(default=frozenset())

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
    files = dict(sorted(walker.files.items()))
    return Listing(files=files, symlinks=frozenset(walker.symlinks), odd=frozenset(walker.odd))


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
    rows = []
    for relpath, found in files.items():
        ctime = found.st_ctime_ns
        if (found.st_nlink > 1 or relpath in hardlinked) and found.st_mode & 0o7777 == OBJECT_MODE:
            # The ctime catches a file replaced by another of the same inode number, size and mtime
            # (which unpacked archives do have). For a hard link of a cached object it is useless:
            # it moves whenever any workspace links or drops that object.
            ctime = 0
        rows.append((relpath, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, ctime))
    # From version 3 on, equal values may be written in different ways.
    text = marshal.dumps(rows, 2)
    return hashlib.blake2b(text, digest_size=16, person=b"legacy" if legacy else b"").hexdigest()


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

    def visit(self, directory: str, prefix: str) -> list[str]:
        """Notes the files of one directory; the sub-directories to descend into."""
        # The way to a file is looked up once for a directory, not for each file of it.
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(fd) as entries:
                found = {entry.name: entry for entry in entries}
            dirnames = [name for name, entry in found.items() if entry.is_dir()]
            filenames = list(found if not dirnames else found.keys() - dirnames)
            if self.ignore is not None:
                dirnames, filenames = self.ignore.filter(directory, dirnames, filenames)
            if IGNORE_FILE in filenames:
                raise StoreError(
                    f"a {IGNORE_FILE} cannot be inside data",
                    where=f"{directory}/{IGNORE_FILE}",
                    hint=f"move its patterns to a {IGNORE_FILE} above the data",
                )
            self._note([found[name] for name in filenames], prefix)
            return [name for name in dirnames if not found[name].is_symlink()]
        finally:
            os.close(fd)

    def _note(self, entries: list[os.DirEntry[str]], prefix: str) -> None:
        files = self.files
        for entry in entries:
            relpath = prefix + entry.name
            if entry.is_symlink():
                self.symlinks.add(relpath)
            try:
                found = entry.stat()
            except FileNotFoundError:
                self.odd.add(relpath)
                continue
            if stat.S_ISREG(found.st_mode):
                files[relpath] = found
            else:
                self.odd.add(relpath)
