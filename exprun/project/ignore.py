"""What DVC ignores: ``.dvcignore`` files, DVC's and Git's own directories, and nested projects.

Syntax and precedence are Git's. As in DVC, a pattern also decides about everything beneath what it
names, so that ``dir/*`` reaches the files that ``!dir/sub/`` would spare in Git.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.content import read_file
from exprun.formats.ignore_patterns import Pattern, parse_patterns
from exprun.model.files import OUT_OF_MEANS
from exprun.model.paths import ROOT, Location, is_outside, parent
from exprun.model.values import dataclass
from exprun.project.root import DVC_DIR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exprun.model.files import Files

DVCIGNORE = ".dvcignore"

_OWN_DIRECTORIES = frozenset({".git", ".hg", DVC_DIR})

_DEAF = frozenset(
    pattern
    for pattern in parse_patterns("*/\n!*/\n**/\n!**/\n/**/\n!/**/\n**/*/\n!**/*/\n/**/*/\n!/**/*/")
)
"""These name every directory, but DVC never finds that they match."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """The patterns of one file, and the length of the prefix that paths lose for it."""

    skip: int
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class _Scope:
    """How the entries of a directory are judged; no `rules` if only the defaults apply."""

    ignored: bool
    rules: tuple[_Rules, ...]


class IgnoreRules:
    """Answers what DVC ignores in the project at the absolute path `root`.

    Reads each ``.dvcignore`` once, when its directory is first asked about. Nested DVC projects
    count as ignored unless `nested_projects`. Safe to use from several threads.
    """

    def __init__(
        self,
        root: str,
        *,
        nested_projects: bool = False,
        files: Files | None = None,
        beside: IgnoreRules | None = None,
    ) -> None:
        """`files`: the project's files, if they are not those on disk. `beside`: other rules for
        the same files, which need not be read again.
        """
        self._root = root
        self._files = files
        self._nested_projects = nested_projects
        self._scopes: dict[Location, _Scope] = {}
        self._patterns: dict[Location, tuple[Pattern, ...]] = beside._patterns if beside else {}

    @property
    def consulted(self) -> tuple[Location, ...]:
        """The directories whose entries were asked about, and all those above them."""
        return tuple(self._scopes)

    def filter(
        self, directory: Location, dirnames: Iterable[str], filenames: Iterable[str]
    ) -> tuple[list[str], list[str]]:
        """The names in `directory`, a location inside the project, that are not ignored."""
        scope = self._scope(directory)
        if scope.ignored:
            return [], []
        prefix = "" if directory == ROOT else f"{directory}/"
        if not scope.rules:
            dirs = [name for name in dirnames if name not in _OWN_DIRECTORIES]
            files = [name for name in filenames if name != ".git"]
        else:
            dirs = [d for d in dirnames if not _is_ignored(prefix + d, True, scope.rules)]
            files = [f for f in filenames if not _is_ignored(prefix + f, False, scope.rules)]
        return [name for name in dirs if not self._is_project(prefix + name)], files

    def is_ignored(self, location: Location, *, is_dir: bool) -> bool:
        """Whether DVC ignores `location`; never true outside the project, or for its root."""
        if location == ROOT or is_outside(location):
            return False
        scope = self._scope(parent(location))
        if scope.ignored or _is_ignored(location, is_dir, scope.rules):
            return True
        return is_dir and self._is_project(location)

    def ignores_output(self, location: Location) -> bool:
        """Whether DVC would refuse `location` as an output because it is ignored.

        What does not exist yet may become a file or a directory.
        """
        if location == ROOT or is_outside(location):
            return False
        scope = self._scope(parent(location))
        if scope.ignored:
            return True
        as_file = _is_ignored(location, False, scope.rules)
        as_dir = _is_ignored(location, True, scope.rules) or self._is_project(location)
        if as_file == as_dir:
            return as_file
        path = os.path.join(self._root, location)
        if os.path.isfile(path):
            return as_file
        return as_dir if os.path.isdir(path) else as_file or as_dir

    def _is_project(self, location: str) -> bool:
        """Whether the directory is a DVC project of its own."""
        if self._nested_projects:
            return False
        if self._files is not None:
            return self._files.is_dir(Location(f"{location}/{DVC_DIR}"))
        return os.path.exists(f"{self._root}/{location}/{DVC_DIR}")

    def _scope(self, directory: Location) -> _Scope:
        known = self._scopes.get(directory)
        if known is None:
            known = self._scopes[directory] = self._read_scope(directory)
        return known

    def _read_scope(self, directory: Location) -> _Scope:
        if is_outside(directory):
            return _Scope(ignored=False, rules=())
        if directory == ROOT:
            rules: tuple[_Rules, ...] = ()
            prefix = ""
        else:
            outer = self._scope(parent(directory))
            if outer.ignored or self.is_ignored(directory, is_dir=True):
                return _Scope(ignored=True, rules=())
            rules = outer.rules
            prefix = f"{directory}/"
        if _is_ignored(prefix + DVCIGNORE, False, rules):
            return _Scope(ignored=False, rules=rules)
        patterns = self._patterns.get(directory)
        if patterns is None:
            patterns = self._patterns[directory] = self._read_patterns(prefix + DVCIGNORE)
        return _Scope(
            ignored=False, rules=(*rules, _Rules(len(prefix), patterns)) if patterns else rules
        )

    def _read_patterns(self, file: str) -> tuple[Pattern, ...]:
        try:
            if self._files is not None:
                data = self._files.read(Location(file))
            else:
                data = read_file(f"{self._root}/{file}")
        except OSError as error:
            if error.errno in OUT_OF_MEANS:
                raise
            return ()
        return parse_patterns("\n".join(map(str.strip, data.decode().splitlines())))


def _is_ignored(path: str, is_dir: bool, rules: tuple[_Rules, ...]) -> bool:
    """The verdict on `path`, whose directory is known not to be ignored."""
    for file in reversed(rules):
        relative = path[file.skip :]
        for pattern in reversed(file.patterns):
            if _reaches(pattern, relative, is_dir):
                return not pattern.negated
    name = path[path.rfind("/") + 1 :]
    return name == ".git" or (is_dir and name in _OWN_DIRECTORIES)


def _reaches(pattern: Pattern, path: str, is_dir: bool) -> bool:
    """Whether the pattern names `path`, or a directory above it."""
    if pattern.only_directories and not is_dir:
        return False
    if pattern in _DEAF:
        return False
    if pattern.glob.endswith("/**"):
        pattern = Pattern(pattern.glob[:-3], pattern.negated, True, only_directories=True)
    if pattern.matches(path, is_dir=is_dir):
        return True
    slash = path.rfind("/")
    while slash > 0:
        if pattern.matches(path[:slash], is_dir=True):
            return True
        slash = path.rfind("/", 0, slash)
    return False
