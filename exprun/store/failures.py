"""What can go wrong with the store, and how an operating system error becomes one of those."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.files import NO_SPACE, named_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exprun.model.lock import Oid


class NoSpace(StoreError):
    """The disk, the quota or the file size limit is exhausted."""


class MissingObjects(StoreError):
    """Objects that are needed are not in the cache, or were damaged and have been set aside."""

    def __init__(self, what: str, oids: Sequence[Oid]) -> None:
        some = ", ".join(oids[:3]) + (f" and {len(oids) - 3} more" if len(oids) > 3 else "")
        super().__init__(
            f"missing from the cache for {what}: {some}",
            hint="fetch the data with 'dvc fetch', or run the stage that makes it",
        )
        self.oids = tuple(oids)


def ignore_warning(message: str) -> None:
    """The warning callback of callers that do not care."""


@contextmanager
def reporting(doing: str, path: str) -> Iterator[None]:
    """Turns an OSError of the block into a StoreError that says what was being done to what."""
    try:
        yield
    except OSError as error:
        raise store_error(error, doing, path) from error


def store_error(error: OSError, doing: str, path: str) -> StoreError:
    """The StoreError for `error`; NoSpace where space is the reason."""
    reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
    culprit = named_by(error) or path
    if error.errno in NO_SPACE:
        return NoSpace(
            f"cannot {doing}: {reason}", where=culprit, hint="free some space and run it again"
        )
    return StoreError(f"cannot {doing}: {reason}", where=culprit)
