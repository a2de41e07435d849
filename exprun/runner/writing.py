"""Replacing a file whole: a crash at any moment leaves the old one or the new one."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from exprun.content import only_files
from exprun.model.files import naming

_NEW_FILE_MODE = 0o666


def replace_file(path: str, data: bytes) -> None:
    """Make the file at `path` hold `data`, by rename; its mode stays, a symlink is followed.

    Raises OSError, and then the file is as it was.
    """
    if os.path.islink(path):
        path = os.path.realpath(path)
    temporary = f"{path}.{os.getpid()}.exprun"
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mode = None
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, _NEW_FILE_MODE
        )
        with naming(path), open(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def put_back(path: str, data: bytes | None) -> None:
    """Make the file at `path` hold `data` again, or be no more (None). Raises OSError."""
    try:
        with open(path, "rb", opener=only_files) as file:
            now = file.read()
    except FileNotFoundError:
        now = None
    if now == data:
        return
    if data is None:
        os.unlink(path)
    else:
        replace_file(path, data)
