"""Git's configuration as it applies to one repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exprun.git.command import GitNotFound, run_git

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCOPES = {1: "system", 2: "system", 3: "global", 4: "global", 5: "local", 6: "worktree"}


class Setting(NamedTuple):
    """One line of configuration; `value` is None for a bare key, which means true."""

    scope: str
    key: str
    value: str | None


class GitConfig:
    """All settings, in order of precedence: of two for one key the later wins."""

    def __init__(self, settings: tuple[Setting, ...]) -> None:
        self.settings = settings
        self._values = {setting.key: setting.value for setting in settings}

    def get(self, key: str) -> str | None:
        """The value of `key` (section and name in lower case); None if it is not set."""
        if key not in self._values:
            return None
        value = self._values[key]
        return "true" if value is None else value

    def is_true(self, key: str, *, default: bool = False) -> bool:
        """Whether a boolean setting is on."""
        if key not in self._values:
            return default
        value = self._values[key]
        return value is None or value.lower() not in ("false", "no", "off", "0", "")

    def sections(self, prefix: str) -> set[str]:
        """The subsections of a section: ``{"lfs"}`` for ``filter`` with ``filter.lfs.clean``."""
        start = prefix + "."
        return {
            key[len(start) :].rpartition(".")[0]
            for key in self._values
            if key.startswith(start) and key.count(".") > 1
        }


def read_config(workdir: str, env: Mapping[str, str]) -> GitConfig:
    """The configuration that ``git`` would use in `workdir`.

    Asking Git costs some milliseconds, a third of loading libgit2, and gets every include right.
    """
    try:
        text = run_git(workdir, env, ["config", "--list", "--includes", "--show-scope", "-z"])
    except GitNotFound:
        return _read_with_libgit2(workdir)
    fields = text.decode(errors="surrogateescape").split("\0")
    settings = []
    for scope, item in zip(fields[::2], fields[1::2], strict=False):
        key, newline, value = item.partition("\n")
        settings.append(Setting(scope, key, value if newline else None))
    return GitConfig(tuple(settings))


def _read_with_libgit2(workdir: str) -> GitConfig:
    import pygit2

    return GitConfig(
        tuple(
            Setting(_SCOPES.get(entry.level, "command"), entry.name, entry.value)
            for entry in pygit2.Repository(workdir).config
        )
    )
