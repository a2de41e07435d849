"""YAML that was parsed before, in this run or an earlier one, is not parsed again."""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING

from exprun.errors import ProjectError
from exprun.formats.reading import read_yaml
from exprun.formats.text import DEFAULT_LIMITS, Limits
from exprun.model.recent import Recent
from exprun.project.parsed import ParsedCache

if TYPE_CHECKING:
    from collections.abc import Callable

_KIND = "yaml-1"


SMALL = 20_000
"""So many characters, at most, has a document that is kept in memory."""

_RECENT = 64


class RecentDocuments:
    """The small documents that were parsed last, for the experiments that have them in common."""

    def __init__(self) -> None:
        self._parsed: Recent[bytes | str, bytes] = Recent(_RECENT)

    def cached(self, data: bytes | str, parse: Callable[[bytes | str], object]) -> object:
        """What `parse` makes of `data`, sharing nothing with other results. Thread-safe."""
        known = self._parsed.get(data)
        if known is not None:
            return marshal.loads(known)
        result = parse(data)
        try:
            packed = marshal.dumps(result)  # type: ignore[arg-type]  # or it raises
        except ValueError:  # not only plain data
            return result
        self._parsed[data] = packed
        return result


class RememberingYaml:
    """A `YamlReader` that keeps what it parses: in `directory`, if it has `keep_from` characters.

    What DVC would refuse is never kept, so a hit needs no check. Thread-safe.
    """

    def __init__(
        self,
        directory: str | None,
        *,
        keep_from: int = 0,
        recent: RecentDocuments | None = None,
    ) -> None:
        """Without a `directory`, nothing is kept but in memory."""
        self._cache = ParsedCache(directory) if directory is not None else None
        self._keep_from = keep_from
        self._recent = recent or RecentDocuments()

    def __call__(
        self,
        data: bytes | str,
        /,
        *,
        name: str,
        error: type[ProjectError] = ProjectError,
        limits: Limits = DEFAULT_LIMITS,
    ) -> object:
        def parse(text: bytes | str) -> object:
            return read_yaml(text, name=name, error=error, limits=limits)

        def recall(text: bytes | str) -> object:
            if self._cache is None:
                return parse(text)
            encoded = text if isinstance(text, bytes) else text.encode()
            keep = len(text) >= self._keep_from
            return self._cache.cached(encoded, _KIND, parse, keep=keep)

        if len(data) > limits.size or _may_hold_nan(data):
            return parse(data)
        if len(data) < SMALL:
            return self._recent.cached(data, recall)
        return recall(data)


def _may_hold_nan(data: bytes | str) -> bool:
    """Whether there may be a not-a-number in it: `marshal` makes another one, equal to no other."""
    if isinstance(data, str):
        return ".nan" in data or ".NaN" in data or ".NAN" in data
    return b".nan" in data or b".NaN" in data or b".NAN" in data
