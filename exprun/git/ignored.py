"""Whether Git ignores or tracks a path of a worktree."""

from __future__ import annotations

import codecs
import os
from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING

from exprun.content import read_file
from exprun.formats.ignore_patterns import Pattern, parse_patterns
from exprun.model.files import OUT_OF_MEANS

if TYPE_CHECKING:
    from exprun.git.index_file import Index
    from exprun.git.repository import Repository

IGNORE_FILE = ".gitignore"


class IgnoreRules:
    """The rules of one worktree, each file read once: make a new one after a change."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._files: dict[str, tuple[Pattern, ...]] = {}
        self._directories: dict[str, bool] = {"": False}

    def is_ignored(self, path: str, *, is_dir: bool | None = None) -> bool:
        """Whether a rule ignores `path` (relative to the worktree), tracked or not.

        A directory that is not there yet is taken for a file unless `is_dir` says so.
        """
        if self._is_ignored_directory(os.path.dirname(path)):
            return True
        if is_dir is None:
            full = os.path.join(self._repository.workdir, path)
            is_dir = os.path.isdir(full) and not os.path.islink(full)
        return self._matches(path, is_dir=is_dir)

    def _is_ignored_directory(self, path: str) -> bool:
        known = self._directories.get(path)
        if known is None:
            known = self.is_ignored(path, is_dir=True)
            self._directories[path] = known
        return known

    def _matches(self, path: str, *, is_dir: bool) -> bool:
        """What the last matching line of the nearest file that has one says."""
        name = _one_char_per_byte(path)
        directory = path
        while directory:
            directory = os.path.dirname(directory)
            start = len(os.fsencode(directory)) + 1 if directory else 0
            for pattern in reversed(self._patterns(directory)):
                if pattern.matches(name[start:], is_dir=is_dir):
                    return not pattern.negated
        for pattern in self._outside:
            if pattern.matches(name, is_dir=is_dir):
                return not pattern.negated
        return False

    def _patterns(self, directory: str) -> tuple[Pattern, ...]:
        patterns = self._files.get(directory)
        if patterns is None:
            path = os.path.join(self._repository.workdir, directory, IGNORE_FILE)
            # As Git since 2.32: a link in the worktree could point to anything.
            patterns = self._load(path, os.O_NOFOLLOW)
            self._files[directory] = patterns
        return patterns

    @cached_property
    def _outside(self) -> tuple[Pattern, ...]:
        """``info/exclude`` and the user's own file, the line that counts first."""
        exclude = self._load(os.path.join(self._repository.common_dir, "info", "exclude"))
        return exclude[::-1] + self._load(self._user_file())[::-1]

    def _user_file(self) -> str:
        env = self._repository.env
        home = env.get("HOME", "")
        configured = self._repository.config.get("core.excludesfile")
        if configured is not None:
            configured = home + configured[1:] if configured.startswith("~/") else configured
            return os.path.join(self._repository.workdir, configured)
        base = env.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        return os.path.join(base, "git", "ignore")

    def _load(self, path: str, flags: int = 0) -> tuple[Pattern, ...]:
        try:
            data = read_file(path, flags=flags)
        except OSError as error:
            if error.errno in OUT_OF_MEANS:
                raise
            return ()
        text = data.removeprefix(codecs.BOM_UTF8).decode("latin-1")
        return parse_patterns(text, ignore_case=self._ignores_case)

    @cached_property
    def _ignores_case(self) -> bool:
        return self._repository.config.is_true("core.ignorecase")


def _one_char_per_byte(path: str) -> str:
    """As Git compares names: ``?`` stands for one byte."""
    return os.fsencode(path).decode("latin-1")


class TrackedPaths:
    """Which paths an index holds."""

    def __init__(self, index: Index) -> None:
        self._paths = sorted([entry.path for entry in index.entries])

    def __contains__(self, path: str) -> bool:
        """Whether `path`, or a file below it, is tracked: DVC refuses such an output."""
        at = bisect_left(self._paths, path)
        if at < len(self._paths) and self._paths[at] == path:
            return True
        at = bisect_left(self._paths, path + "/")
        return at < len(self._paths) and self._paths[at].startswith(path + "/")
