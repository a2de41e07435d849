"""Files of state that are replaced whole: a crash leaves the old one or the new one."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from exprun.model.files import naming

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_state(path: str, data: bytes, *, mode: int = 0o600) -> None:
    """Make `path` hold `data`, by rename, for the user alone unless `mode` says otherwise.

    Not durable. Raises OSError, and leaves the file as it was then.
    """
    temporary = f"{path}.{os.getpid()}-{threading.get_ident()}~"
    try:
        with naming(path), open(os.open(temporary, _FLAGS, mode), "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
