"""`pattern`: a regular expression for later, as `re.compile` gives one at once.

Compiling one takes a fifth of a millisecond and more, and a command uses but half of those that the
modules it loads define.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import compile as pattern
else:

    class pattern:
        """A pattern that is compiled when something of it is first used."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self._source = (text, flags)

        def __getattr__(self, name: str) -> Any:
            # What is kept is found without coming here again.
            found = getattr(re.compile(*self._source), name)
            setattr(self, name, found)
            return found


__all__ = ["pattern"]
