"""YAML that was parsed in an earlier run is not parsed again."""

from __future__ import annotations

from exprun.errors import ProjectError
from exprun.formats.reading import read_yaml
from exprun.formats.text import DEFAULT_LIMITS, Limits
from exprun.project.parsed import ParsedCache

_KIND = "yaml-1"


class RememberingYaml:
    """A `YamlReader` that keeps what it parses in `directory`, if it has `at_least` characters.

    What DVC would refuse is never kept, so a hit needs no check. Thread-safe.
    """

    def __init__(self, directory: str, *, at_least: int = 0) -> None:
        self._cache = ParsedCache(directory)
        self._at_least = at_least

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

        if len(data) < self._at_least or len(data) > limits.size:
            return parse(data)
        return self._cache.cached(data if isinstance(data, bytes) else data.encode(), _KIND, parse)
