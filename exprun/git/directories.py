"""Directories in a Git directory that others may have to write to."""

from __future__ import annotations

import os
import stat

_SHARED = stat.S_ISGID | stat.S_IRWXG


def make_directories(path: str) -> None:
    """Make a directory and those above it, as ``os.makedirs`` does, unless it is there.

    In one that its group may write to, the group may write to those within: such a repository is
    shared (``core.sharedRepository``), whatever our umask.
    """
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    make_directories(above)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return
    mode = os.stat(above).st_mode
    if mode & stat.S_IWGRP:
        os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | mode & _SHARED)
