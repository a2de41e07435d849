"""Files of our own state: for the user alone, and replaced whole."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from exprun.model.files import naming

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_privately(path: str, data: bytes) -> None:
    """Make `path` hold `data`, by rename. Not durable. Raises OSError, and leaves nothing then."""
    temporary = f"{path}.{os.getpid()}-{threading.get_ident()}~"
    try:
        with naming(path), open(os.open(temporary, _FLAGS, 0o600), "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
