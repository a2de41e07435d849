"""Git's lock files, held in such a way that a process that dies leaves none that is respected.

To Git, the existence of ``<file>.lock`` is the lock. Ours is a hard link to an *anchor*, a file of
which the holder has a kernel lock: the lock file of somebody who has died is known by being the
same file as an anchor that is free, and only such a one is removed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.errors import RefConflict
from exprun.model.files import naming

if TYPE_CHECKING:
    from typing import Self

    from exprun.git.sharing import Sharing

_WAIT_S = 2.0
_PAUSE_S = 0.01
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK})


class LockFile:
    """The lock of the file `name` in a Git directory, and what is to take that file's place.

    Entering raises RefConflict if another process holds the lock for long.
    """

    def __init__(self, directory: str, name: str, sharing: Sharing) -> None:
        self._sharing = sharing
        self._name = name
        self.path = f"{directory}/{name}"
        self._lock = f"{self.path}.lock"
        key = hashlib.sha1(os.fsencode(name), usedforsecurity=False).hexdigest()
        self._anchor = f"{directory}/exprun-{key}.lock"
        self._descriptors: list[int] = []
        self._is_there = False

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _WAIT_S
        while not self._own_anchor():
            self._wait(deadline)
        try:
            self._sharing.adjust(self._descriptors[0])
            while not self._create():
                self._wait(deadline)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def fill(self, data: bytes) -> None:
        """Write what the file is to hold, durably."""
        with naming(self._lock), open(self._descriptors[-1], "wb", closefd=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def publish(self) -> None:
        """Put what was written in the file's place."""
        os.rename(self._lock, self.path)
        self._is_there = False

    def _own_anchor(self) -> bool:
        """Whether the anchor is ours; one that a dead process left is removed first."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._anchor, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is(self._anchor, descriptor):
                raise BlockingIOError
        except BlockingIOError:
            os.close(descriptor)
            return False
        found = os.fstat(descriptor)
        if found.st_nlink > 1 or found.st_size:
            # Its other name may be that of the file by now, whose content must stay.
            for path in (self._lock, self._anchor):
                if _is(path, descriptor):
                    os.unlink(path)
            os.close(descriptor)
            return self._own_anchor()
        self._descriptors.append(descriptor)
        return True

    def _create(self) -> bool:
        """Whether the lock file is ours."""
        try:
            self._sharing.make_directories(os.path.dirname(self._lock))
            self._link()
        except FileNotFoundError:  # another process removed the directory while it was empty
            return False
        except (FileExistsError, NotADirectoryError) as error:
            if not os.path.isdir(os.path.dirname(self._lock)):
                raise RefConflict(f"ref {self._name} lies below another ref") from error
            return False
        self._is_there = True
        return True

    def _link(self) -> None:
        try:
            os.link(self._anchor, self._lock)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptors.append(os.open(self._lock, flags, 0o666))
            self._sharing.adjust(self._descriptors[-1])

    def _wait(self, deadline: float) -> None:
        """Git holds such locks for microseconds; one that stays was left by a crash of Git's."""
        if time.monotonic() >= deadline:
            hint = f"remove {self._lock} if no git process is running"
            raise RefConflict(f"ref {self._name} is locked", hint=hint)
        time.sleep(_PAUSE_S)

    def _close(self) -> None:
        """Let go of the lock. What cannot be removed now is as if we had died."""
        for path in [self._lock] * self._is_there + [self._anchor]:
            with suppress(OSError):
                os.unlink(path)
        while self._descriptors:
            os.close(self._descriptors.pop())


def _is(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
