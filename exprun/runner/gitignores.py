"""The .gitignore lines of outputs: added as stages are run, taken back if the run fails.

However stages run side by side, the lines stand as if they had run one after the other.
"""

from __future__ import annotations

import os
import posixpath
import shlex
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from exprun.content import only_files
from exprun.errors import PipelineError
from exprun.git.gitignore import add_line, remove_line
from exprun.git.ignored import IgnoreRules, TrackedPaths
from exprun.model.paths import place
from exprun.runner.writing import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exprun.git.repository import Repository
    from exprun.model.paths import Location
    from exprun.model.stage import Stage

GITIGNORE = ".gitignore"

# To Git, the lines are bytes in no encoding.
_ERRORS = "surrogateescape"


class GitIgnores:
    """Keeps outputs out of Git, as DVC does: one line ``/name`` beside each. Thread-safe."""

    def __init__(self, repository: Repository, root: str) -> None:
        self._repository = repository
        self._root = root
        self._rules = IgnoreRules(repository)
        self._tracked = TrackedPaths(repository.read_index())
        self._ranks: dict[str, int] = {}
        self._added: list[str] = []
        self._lock = Lock()

    @property
    def files(self) -> list[str]:
        """The .gitignore files written to, as absolute paths."""
        return list(dict.fromkeys(_beside(path) for path in self._added))

    def plan(self, stages: Sequence[Stage]) -> None:
        """Take note of the order in which the lines are to stand."""
        locations = (out.location for stage in stages for out in stage.outs)
        for rank, location in enumerate(locations):
            self._ranks[place(self._root, location)] = rank

    def ignore(self, location: Location) -> None:
        """Make Git ignore an output. Raises PipelineError if Git tracks it."""
        path = place(self._root, location)
        name = self._repository.inside(path)
        with self._lock:
            if name in self._tracked:
                remove = f"git rm -r --cached {shlex.quote(location)}"
                raise PipelineError(
                    f"output '{location}' is already tracked by Git",
                    hint=f"{remove} && git commit -m 'stop tracking it'",
                )
            if self._rules.is_ignored(name):
                return
            file, name = _beside(path), posixpath.basename(path)
            later = [posixpath.basename(other) for other in self._due_after(path, file)]
            replace_file(file, _encoded(add_line(_read(file), name, before=later)))
            self._added.append(path)
            self._rules = IgnoreRules(self._repository)

    def _due_after(self, path: str, file: str) -> Iterator[str]:
        """The outputs that have got a line in `file` before their turn."""
        rank = self._ranks.get(path, len(self._ranks))
        for other in self._added:
            if _beside(other) == file and self._ranks.get(other, -1) > rank:
                yield other

    def keep(self) -> None:
        """Let the lines added so far stay whatever happens, and count as the user's own."""
        with self._lock:
            self._added.clear()

    def roll_back(self) -> None:
        """Take back every line added. A file that becomes empty is deleted."""
        with self._lock:
            while self._added:
                path = self._added.pop()
                file = _beside(path)
                text = remove_line(_read(file), posixpath.basename(path))
                if text:
                    replace_file(file, _encoded(text))
                else:
                    with suppress(FileNotFoundError):
                        os.unlink(file)


def _beside(path: str) -> str:
    return os.path.join(os.path.dirname(path), GITIGNORE)


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors=_ERRORS, newline="", opener=only_files) as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def _encoded(text: str) -> bytes:
    return text.encode(errors=_ERRORS)
