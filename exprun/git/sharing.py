"""What others may do with what is added to a Git directory (``core.sharedRepository``)."""

from __future__ import annotations

import os
import stat
from functools import cached_property
from typing import TYPE_CHECKING

from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable

_SHARED = stat.S_ISGID | stat.S_IRWXG
_PERMISSIONS = stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO
_GROUP, _ALL = 0o660, 0o664
_NAMED = {"umask": 0, "group": _GROUP, "all": _ALL, "world": _ALL, "everybody": _ALL}
_NUMBERED = {0: 0, 1: _GROUP, 2: _ALL}
_OCTAL = pattern(r"[0-7]+")


class Sharing:
    """Gives new files and directories the modes that Git would (``path.c: adjust_shared_perm``).

    `setting` tells the value of ``core.sharedRepository``; it is asked when first needed.
    """

    def __init__(self, setting: Callable[[], str | None] = lambda: None) -> None:
        self._setting = setting

    @cached_property
    def _permissions(self) -> tuple[int, bool]:
        """What a file may be used for, whatever the umask, and whether it is nothing else."""
        value = (self._setting() or "umask").lower()
        if value in _NAMED:
            return _NAMED[value], False
        if _OCTAL.fullmatch(value):
            number = int(value, 8)
            return _NUMBERED.get(number, number & 0o666), number not in _NUMBERED
        return (_GROUP if value in ("true", "yes", "on") else 0), False

    def adjust(self, path: str | int) -> None:
        """Give what was just made, a path or descriptor, the mode that it is to have."""
        permissions, exactly = self._permissions
        if not permissions:
            return
        old = os.stat(path).st_mode
        if not old & stat.S_IWUSR:
            permissions &= ~0o222
        if old & stat.S_IXUSR:
            permissions |= (permissions & 0o444) >> 2
        mode = stat.S_IMODE(old)
        mode = mode & ~_PERMISSIONS | permissions if exactly else mode | permissions
        if stat.S_ISDIR(old) and permissions & stat.S_IRWXG:
            mode |= stat.S_ISGID
        if mode != stat.S_IMODE(old):
            os.chmod(path, mode)

    def make_directories(self, path: str) -> None:
        """Make a directory and those above it, as ``os.makedirs`` does, unless it is there.

        In one that its group may write to, the group may write to those within, whatever is set.
        """
        if os.path.isdir(path):
            return
        above = os.path.dirname(path)
        try:
            os.mkdir(path)
        except FileNotFoundError:
            self.make_directories(above)
            return self.make_directories(path)
        except FileExistsError:
            if not os.path.isdir(path):
                raise
            return
        mode = os.stat(above).st_mode
        if mode & stat.S_IWGRP:
            os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | mode & _SHARED)
        self.adjust(path)
