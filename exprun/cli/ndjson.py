"""Every event as one JSON object a line, for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exprun import events

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO


def write_events(file: TextIO) -> Callable[[events.Event], None]:
    """A display that writes to `file`, each line at once. All fields are there, null or not."""

    def show(event: events.Event) -> None:
        file.write(json.dumps(events.to_json(event)) + "\n")
        file.flush()

    return show
