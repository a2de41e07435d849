"""A real repository for tests, driven by the git command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exprun.git.repository import open_repository

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.git.repository import Repository


@dataclass(frozen=True)
class GitProject:
    """A real repository, driven by the git command: the oracle of these tests."""

    root: Path
    env: dict[str, str]

    def git(self, *args: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.root, env=self.env | (env or {}), input=stdin,
            capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (args, done.stderr)
        return done.stdout.decode(errors="surrogateescape").removesuffix("\n")

    def write(self, path: str, content: str | bytes = "") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def commit_all(self, message: str = "commit") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def open(self) -> Repository:
        return open_repository(str(self.root), env=self.env)

    def tree_after_add(self, *include: str) -> str:
        """What ``git add -u`` and ``git write-tree`` make of it, on a copy of the index.

        As in DVC, what HEAD has and the index no longer is kept for as long as it is there.
        """
        index = self.root.parent / "index-copy"
        source = self.root / self.git("rev-parse", "--git-path", "index")
        env = {"GIT_INDEX_FILE": str(index)}
        shutil.copy2(source, index)  # Its time says which files may have changed since unseen.
        self.git("add", "-u", ".", env=env)
        tracked = set(self.git("ls-files", "-z", env=env).split("\0"))
        if self.git("rev-list", "-n", "1", "--all"):
            for path in self.git("ls-tree", "-rz", "--name-only", "HEAD").split("\0"):
                full = self.root / path
                is_there = full.is_symlink() or full.is_file()
                is_linked = full.parent.resolve() != full.parent
                if path and path not in tracked and is_there and not is_linked:
                    self.git("add", "-f", "--", path, env=env)
        for path in include:
            self.git("add", "--ignore-errors", path, env=env)
        tree = self.git("write-tree", env=env)
        index.unlink()
        return tree
