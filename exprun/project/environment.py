"""What the values of environment variables mean to DVC."""

from __future__ import annotations

import re

from exprun.model.patterns import pattern

_YES = pattern("1|y|yes|true", re.IGNORECASE)


def is_yes(value: str) -> bool:
    """Whether DVC takes a value for a yes: if there is one anywhere in it."""
    return _YES.search(value) is not None
