"""How the parts of this room say what is wrong with a document, before its lines are known."""

from __future__ import annotations

Path = tuple[str | int, ...]


class Problem(Exception):
    """What is wrong and at which path of the document; `load` turns it into a PipelineError."""

    def __init__(self, message: str, path: Path = (), *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint
