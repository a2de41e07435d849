"""A read-only view of a project's files: a directory, a Git tree, or a dict in a test."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from exprun.model.paths import Location

OUT_OF_MEANS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO})
"""Errors that say nothing about a file: it must not be taken for one that is not there."""

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors that tell that the disk, the quota or the file size limit is exhausted."""


class Files(Protocol):
    """The files of one project, by location. Cheap to ask; never writes."""

    def read(self, location: Location) -> bytes:
        """The bytes of a file.

        Raises FileNotFoundError, IsADirectoryError, or OSError as `open` would.
        """

    def is_file(self, location: Location) -> bool:
        """Whether a regular file (or a symlink to one) is there."""

    def is_dir(self, location: Location) -> bool:
        """Whether a directory (or a symlink to one) is there."""


def named_by(error: OSError) -> str | None:
    """The file that an error names; None if it names none, or a number alone."""
    name = error.filename
    return None if name is None or isinstance(name, int) else os.fsdecode(name)


class naming:
    """Has what fails in the block name the file, which the system knows by a number alone."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            error.filename = self._path
