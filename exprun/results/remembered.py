"""What commits hold, kept beside the project: a commit never changes, so it is read once.

One file for each baseline, with a line for the baseline and for each of its experiments. It is
written whole and renamed into place, so it holds just what was last shown, and no reader sees a
torn one; after 90 days it is removed. Of hundreds of dependencies and outputs experiments share
most: those of a few commits are in a line of their own, and of all others there is only what
differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from exprun import __version__
from exprun.project.state_files import replace_state
from exprun.results.state import Data, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.results.history import Commit

_FORMAT = "exprun-results/2"
_SHARED = "shared"
_EXAMPLES = 4
_KEPT_S = 90 * 86_400
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Remembered:
    """States in `directory`, which is made when first needed.

    What cannot be read or written is as good as absent. `key` is all that decides, besides the
    commit, what is found in it.
    """

    def __init__(self, directory: str, key: str) -> None:
        self._directory = directory
        self._key = hashlib.sha256(key.encode()).hexdigest()[:16]

    def load(self, baseline: str) -> Recollection:
        """What is known of a baseline and its experiments."""
        try:
            with open(self._path(baseline), encoding="utf-8") as file:
                text = file.read()
            header, _, body = text.partition("\n")
            if header == self._header(body):
                return Recollection(dict(line.split(" ", 1) for line in body.splitlines()))
        except (OSError, ValueError):
            pass
        return Recollection({})

    def save(self, baseline: str, recollection: Recollection) -> None:
        """Keep what was used of `recollection`, and forget the rest."""
        body = "".join(f"{rev} {line}\n" for rev, line in recollection.used().items())
        path = self._path(baseline)
        with suppress(OSError):
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            replace_state(path, f"{self._header(body)}\n{body}".encode())
            self._forget_old()

    def _forget_old(self) -> None:
        """Remove what has not been written for long: if it is shown again, it is read again."""
        limit = time.time() - _KEPT_S
        for entry in list(os.scandir(self._directory)):
            if entry.stat(follow_symlinks=False).st_mtime < limit:
                os.unlink(entry.path)

    def _path(self, baseline: str) -> str:
        return os.path.join(self._directory, baseline)

    def _header(self, body: str) -> str:
        """Who wrote the file, where, and what it hashes to.

        The directory's inode keeps a repository from bringing along a file that contradicts it.
        """
        place = os.stat(self._directory)
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        return f"{_FORMAT} {__version__} {self._key} {place.st_dev:x}-{place.st_ino:x} {digest}"


class Recollection:
    """The states of one baseline, as kept; what is asked for or added counts as used."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        self._lines = lines
        self._used: dict[str, str] = {}
        self._added = False
        self._shared = _Shared(json.loads(lines.get(_SHARED, '{"deps":[],"outs":[]}')))

    def get(self, rev: str) -> Data | None:
        """What a commit holds, if that is known."""
        line = self._lines.get(rev) or self._used.get(rev)
        if line is None:
            return None
        self._used[rev] = line
        _, seconds, text = line.split(" ", 2)
        data: Data = self._shared.restore(json.loads(text))
        data["timestamp"] = timestamp(int(seconds))
        return data

    def parent(self, rev: str) -> str | None:
        """The first parent of a commit, if that is known."""
        line = self._lines.get(rev) or self._used.get(rev)
        return line.partition(" ")[0] if line else None

    def add(self, data: Data, commit: Commit) -> None:
        """Remember what a commit holds, if JSON can tell it and nothing is missing from it."""
        if _has_errors(data):
            return
        try:
            text = _encode({**self._shared.reduce(data), "timestamp": None})
        except (TypeError, ValueError):
            return
        parent = next(iter(commit.parents), "")
        self._used[data["rev"]] = f"{parent} {commit.time} {text}"
        self._added = True

    @property
    def is_new(self) -> bool:
        """Whether there is something to keep that was not, or nothing left of much that was."""
        return self._added or len(self._lines) > 2 * len(self._used) + 100

    def used(self) -> Mapping[str, str]:
        return {_SHARED: _encode(self._shared.examples), **self._used}


class _Shared:
    """Dependencies and outputs that commits have in common: for each kind, some to be like."""

    def __init__(self, examples: Mapping[str, list[dict[str, Any]]]) -> None:
        self.examples = examples

    def reduce(self, data: Data) -> dict[str, object]:
        """What a commit holds, without what is shared; `data` itself then takes no more memory."""
        reduced: dict[str, Any] = {**data}
        for kind, examples in self.examples.items():
            reduced[kind] = _told_by(examples, reduced[kind])
        data.update(self.restore({**reduced}))
        return reduced

    def restore(self, reduced: dict[str, Any]) -> Data:
        """What a commit holds, of what `reduce` has made of it."""
        for kind, examples in self.examples.items():
            like, changed = reduced[kind]
            example = examples[like] if like is not None else {}
            reduced[kind] = example | changed if changed else example
        return cast("Data", reduced)


def _told_by(examples: list[dict[str, Any]], own: dict[str, Any]) -> tuple[int | None, object]:
    """Which example comes close, if any, and what differs from it."""
    for at, example in enumerate(examples):
        if list(own) == list(example):
            changed = {path: value for path, value in own.items() if value != example[path]}
            if len(changed) <= len(own) // 2:
                return at, changed
    if len(examples) == _EXAMPLES:
        return None, own
    examples.append(own)
    return len(examples) - 1, {}


def _has_errors(data: Data) -> bool:
    """A file that was missing may be there next time, so it is looked for again; as in DVC."""
    shown = (*data["params"].values(), *data["metrics"].values())
    return any("error" in values for values in shown)
