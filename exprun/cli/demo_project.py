"""Makes the demo's project: its files, a Git repository, and the first commit."""

from __future__ import annotations

import os
from importlib.resources import files
from typing import TYPE_CHECKING

from exprun.errors import GitError, UsageError
from exprun.git.command import run_git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

# What `dvc init` makes, so that DVC itself is not needed.
_DVC_FILES = {
    ".dvc/config": "",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvcignore": (
        "# Add patterns of files dvc should ignore, which could improve\n"
        "# the performance. Learn more at\n"
        "# https://dvc.org/doc/user-guide/dvcignore\n"
    ),
}
_RENAMED = {"gitignore": ".gitignore"}  # a .gitignore would also hold for exprun's own sources
_STAND_IN = {"user.name": "exprun demo", "user.email": "demo@exprun.invalid"}


def make_demo_project(root: str, *, env: Mapping[str, str]) -> None:
    """Make the demo's project in the directory `root`, which is created if it does not exist.

    Raises UsageError if there is something at `root`, GitError if Git refuses.
    """
    if os.path.lexists(root) and (not os.path.isdir(root) or os.listdir(root)):
        raise UsageError(
            f"'{root}' exists and is not an empty directory",
            hint="name another one: exprun demo DIRECTORY",
        )
    os.makedirs(root, exist_ok=True)
    _copy(files("exprun") / "demo" / "project", root)
    for name, text in _DVC_FILES.items():
        _write(os.path.join(root, name), text.encode())
    _commit_all(root, env)


def _copy(source: Traversable, target: str) -> None:
    for item in source.iterdir():
        path = os.path.join(target, _RENAMED.get(item.name, item.name))
        if item.is_file():
            _write(path, item.read_bytes())
        elif item.name != "__pycache__":
            _copy(item, path)


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def _commit_all(root: str, env: Mapping[str, str]) -> None:
    run_git(root, env, ["init", "--quiet"])
    for key, value in _STAND_IN.items():
        if not _is_configured(root, env, key):
            run_git(root, env, ["config", key, value])
    # Even if the user's own ignore file names some of them.
    run_git(root, env, ["add", "--all", "--force"])
    no_extras = ["-c", "commit.gpgSign=false", "-c", f"core.hooksPath={os.devnull}"]
    run_git(root, env, [*no_extras, "commit", "--quiet", "--message", "the exprun demo"])


def _is_configured(root: str, env: Mapping[str, str], key: str) -> bool:
    try:
        return bool(run_git(root, env, ["config", "--get", key]).strip())
    except GitError:
        return False
