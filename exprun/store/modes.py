"""File and directory modes of the cache and of what is checked out from it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Self

from exprun.model.values import dataclass

OBJECT_MODE = 0o444
OWNER_EXEC = 0o100
ANY_EXEC = 0o111


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """The modes in force: the process's umask, and DVC's ``cache.shared = group``."""

    umask: int
    shared: bool = False

    @classmethod
    def current(cls, *, shared: bool = False) -> Self:
        """The modes under the umask of this process."""
        return cls(umask=_read_umask(), shared=shared)

    @property
    def plain_file(self) -> int:
        """Mode of a file copied into the workspace."""
        return 0o666 & ~self.umask

    @property
    def file(self) -> int:
        """Mode of cache files that are no objects, and of unprotected outputs."""
        return 0o664 if self.shared else self.plain_file

    @property
    def directory(self) -> int:
        return 0o2775 if self.shared else 0o777 & ~self.umask

    def make_cache_directory(self, path: str) -> None:
        """Creates `path` and what is missing above it, with the mode of cache directories."""
        try:
            self._make_directory(path)
        except FileNotFoundError:
            self.make_cache_directory(os.path.dirname(path))
            self._make_directory(path)

    def _make_directory(self, path: str) -> None:
        try:
            os.mkdir(path, self.directory)
        except FileExistsError:
            return
        if self.shared:
            # The umask has trimmed the group's rights, and mkdir never sets the group bit.
            with suppress(OSError):
                os.chmod(path, self.directory)


def _read_umask() -> int:
    # umask(2) can only be read by changing it, which other threads would notice.
    with suppress(OSError), open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"Umask:"):
                return int(line.split()[1], 8)
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
