"""How YAML is read: by parsing it, or by whatever remembers what was parsed before."""

from __future__ import annotations

from typing import Protocol

from exprun.errors import ProjectError
from exprun.formats.text import DEFAULT_LIMITS, Limits, decode

_SMALL = 4096
"""Reading as many characters takes less time than importing the parser."""


class YamlReader(Protocol):
    """`exprun.formats.yaml12.load_yaml`, or something that gives the same values."""

    def __call__(
        self,
        data: bytes | str,
        /,
        *,
        name: str,
        error: type[ProjectError] = ...,
        limits: Limits = ...,
    ) -> object: ...


def read_yaml(
    data: bytes | str,
    /,
    *,
    name: str,
    error: type[ProjectError] = ProjectError,
    limits: Limits = DEFAULT_LIMITS,
) -> object:
    """As `load_yaml`. Imports the parser when it is needed first: that takes time."""
    if len(data) <= _SMALL and limits is DEFAULT_LIMITS:
        from exprun.formats.blocks import read_settings
        from exprun.formats.plain import NotSimple

        try:
            return read_settings(decode(data, name=name, error=error, limits=limits))
        except NotSimple:
            pass
    from exprun.formats.yaml12 import load_yaml

    return load_yaml(data, name=name, error=error, limits=limits)
