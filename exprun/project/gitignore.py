"""What Git ignores, read from the ignore files without opening the repository.

Only patterns count, as for DVC: whether a file is tracked does not matter.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.content import read_file
from exprun.formats.ignore_patterns import Pattern, parse_patterns
from exprun.model.files import OUT_OF_MEANS
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exprun.project.root import GitPlace

GITIGNORE = ".gitignore"


@dataclass(frozen=True, slots=True)
class _Rules:
    """The patterns of one file, and the directory they are relative to, as prefix with a slash."""

    prefix: str
    patterns: tuple[Pattern, ...]


class GitIgnore:
    """Answers whether Git ignores a path of a work tree. Reads each ``.gitignore`` once.

    `excludes_file` is the user's own ignore file (``core.excludesFile``).
    """

    def __init__(self, git: GitPlace, *, excludes_file: str | None = None) -> None:
        self._top = git.work_tree
        self._general = [
            _Rules("", patterns)
            for path in (f"{git.git_dir}/info/exclude", excludes_file)
            if path and (patterns := _read(path))
        ]
        self._by_directory: dict[str, list[_Rules]] = {}

    def ignores(self, path: str, *, is_dir: bool) -> bool:
        """Whether `path`, relative to the work tree, or a directory above it is ignored."""
        at = path.find("/")
        while at >= 0:
            if self._verdict(path[:at], is_dir=True):
                return True
            at = path.find("/", at + 1)
        return self.ignores_entry(path, is_dir=is_dir)

    def ignores_entry(self, path: str, *, is_dir: bool) -> bool:
        """As `ignores`, for a path whose directory is known not to be ignored.

        A directory whose content a pattern ignores (``dir/*``) counts as ignored, as for DVC, even
        if another pattern (``!dir/file``) spares some of it.
        """
        if self._verdict(path, is_dir=is_dir):
            return True
        return is_dir and self._ignores_content_of(path)

    def _verdict(self, path: str, *, is_dir: bool) -> bool:
        """What the last pattern says that matches: deeper files, then later lines, come last."""
        for rules in reversed(self._rules_in(path.rpartition("/")[0])):
            relative = path[len(rules.prefix) :]
            for pattern in reversed(rules.patterns):
                if pattern.matches(relative, is_dir=is_dir):
                    return not pattern.negated
        return False

    def _ignores_content_of(self, path: str) -> bool:
        for rules in reversed(self._rules_in(path.rpartition("/")[0])):
            inner = f"{path[len(rules.prefix) :]}/x"
            for pattern in reversed(rules.patterns):
                if pattern.is_about_contents and pattern.matches(inner, is_dir=True):
                    return not pattern.negated
        return False

    def _rules_in(self, directory: str) -> list[_Rules]:
        """The rules that apply to the entries of `directory`, the most general first."""
        known = self._by_directory.get(directory)
        if known is None:
            outer = self._rules_in(directory.rpartition("/")[0]) if directory else self._general
            prefix = f"{directory}/" if directory else ""
            # A symbolic link would let a repository read files elsewhere; Git refuses it too.
            patterns = _read(f"{self._top}/{prefix}{GITIGNORE}", os.O_NOFOLLOW)
            known = [*outer, _Rules(prefix, patterns)] if patterns else outer
            self._by_directory[directory] = known
        return known


def _read(path: str, flags: int = 0) -> tuple[Pattern, ...]:
    try:
        data = read_file(path, flags=flags)
    except OSError as error:
        if error.errno in OUT_OF_MEANS:
            raise
        return ()
    return parse_patterns(data.decode(errors="surrogateescape"))


def find_excludes_file(git: GitPlace, *, home: str | None, config_home: str | None) -> str | None:
    """The user's ignore file: ``core.excludesFile`` of the plain Git configuration, or the default.

    `config_home` is ``XDG_CONFIG_HOME``. Included configuration files are not followed.
    """
    config_home = _config_home(home, config_home)
    named = None
    for path in excludes_config_files(git, home, config_home):
        named = _last_excludes_file(path) or named
    if named is not None:
        return os.path.join(home, named[2:]) if home and named.startswith("~/") else named
    return os.path.join(config_home, "git", "ignore") if config_home else None


def excludes_config_files(
    git: GitPlace, home: str | None, config_home: str | None
) -> Iterator[str]:
    """The files that may set ``core.excludesFile``, the last one that does wins."""
    yield "/etc/gitconfig"
    if config_home := _config_home(home, config_home):
        yield os.path.join(config_home, "git", "config")
    if home:
        yield os.path.join(home, ".gitconfig")
    yield os.path.join(git.common_dir, "config")


def _config_home(home: str | None, config_home: str | None) -> str | None:
    return config_home or (os.path.join(home, ".config") if home else None)


def _last_excludes_file(config: str) -> str | None:
    try:
        text = read_file(config).decode(errors="surrogateescape")
    except OSError as error:
        if error.errno in OUT_OF_MEANS:
            raise
        return None
    return _excludes_file(text.splitlines()) if "excludesfile" in text.lower() else None


def _excludes_file(lines: Iterable[str]) -> str | None:
    section = ""
    found = None
    for line in map(str.strip, lines):
        if line.startswith("["):
            section = line.partition("]")[0].removeprefix("[").strip().lower()
        elif section == "core":
            key, _, value = line.partition("=")
            if key.strip().lower() == "excludesfile":
                found = value.strip().strip('"')
    return found
