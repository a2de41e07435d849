"""Names that may have been meant by one that is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST = 1000


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A hint with the nearest known names; `otherwise` follows, or stands alone."""
    from difflib import get_close_matches
    from itertools import islice

    close = get_close_matches(name, dict.fromkeys(islice(known, _MOST)))
    if not close:
        return otherwise
    return f"did you mean {' or '.join(repr(each) for each in close)}?\n{otherwise}"
