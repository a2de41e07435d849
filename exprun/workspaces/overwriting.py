"""Giving a file new content where it is, if nothing else can be meant by it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from exprun.content import write_all
from exprun.model.files import naming


def rewrite(full: str, data: bytes) -> None:
    """Make a file hold `data`: where it is, or else anew. Nothing is written through links."""
    if not overwrite(full, data):
        with naming(full), open(full, "xb") as file:
            file.write(data)


def overwrite(full: str, data: bytes, permissions: int | None = None) -> bool:
    """Give a file new content where it is, or else remove it; whether it has the content now.

    It is only written to if it is a regular file of no other name, and of these permissions, if
    they matter. To make files anew again and again is slow: whenever ext4 looks for a free inode,
    it passes over all that were freed within the last minutes.
    """
    if write_over(full, data, permissions):
        return True
    with suppress(FileNotFoundError):
        os.unlink(full)
    return False


def write_over(full: str, data: bytes, permissions: int | None = None) -> bool:
    """As `overwrite`, but what cannot be written over stays as it is."""
    try:
        # A pipe would be waited for.
        descriptor = os.open(full, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        if permissions is None:
            permissions = stat.S_IMODE(found.st_mode)
        if found.st_nlink != 1 or found.st_mode != stat.S_IFREG | permissions:
            return False
        with naming(full):
            write_all(descriptor, data)
            # Only if need be: it takes ten times as long as to write.
            if found.st_size > len(data):
                os.ftruncate(descriptor, len(data))
        return True
    finally:
        os.close(descriptor)
