"""An isolated place for one project: its own home, caches, Git identity and fixed clock."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The first commit's time; each later one of a project is a minute younger.
EPOCH = 1_700_000_000

GITCONFIG = """\
[user]
	name = Ada Tester
	email = ada@example.com
[init]
	defaultBranch = main
[core]
	autocrlf = false
[advice]
	detachedHead = false
[protocol "file"]
	allow = always
"""

DVCCONFIG = """\
[core]
    analytics = false
    check_update = false
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The directory that holds a project (`repo`) and everything it may look at."""

    root: Path

    @property
    def repo(self) -> Path:
        return self.root / "repo"

    @property
    def outside(self) -> Path:
        """Where files beyond the repository live; the project sees it as `../outside`."""
        return self.root / "outside"

    def prepare(self) -> None:
        """Create the directories and the user's configuration files."""
        for directory in (self.repo, self.outside, self._home / ".config" / "dvc", self._site):
            directory.mkdir(parents=True, exist_ok=True)
        (self._home / ".gitconfig").write_text(GITCONFIG)
        (self._home / ".config" / "dvc" / "config").write_text(DVCCONFIG)

    @property
    def _home(self) -> Path:
        return self.root / "home"

    @property
    def _site(self) -> Path:
        return self.root / "site"

    def environ(self) -> dict[str, str]:
        """The whole environment of a command run here; nothing leaks in but PATH."""
        scripts = os.path.dirname(sys.executable)
        return {
            "HOME": str(self._home),
            "PATH": os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)]),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "SHELL": "/bin/sh",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self._site),
            "XDG_CACHE_HOME": str(self._home / ".cache"),
            "XDG_DATA_HOME": str(self._home / ".local/share"),
            "XDG_STATE_HOME": str(self._home / ".local/state"),
            "XDG_CONFIG_HOME": str(self._home / ".config"),
            "XDG_CONFIG_DIRS": str(self._home / "etc"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DO_NOT_TRACK": "1",
        }

    def normalised(self, text: str) -> str:
        """`text` with this place's path replaced, so that two places compare equal."""
        return text.replace(str(self.root), "<place>")


def commit_dates(number: int) -> dict[str, str]:
    """The fixed dates of a project's commit number `number`."""
    date = f"{EPOCH + 60 * number} +0000"
    return {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
