"""A repository that borrows another's objects and can do it no harm.

It has its own HEAD, index, refs and new objects; of the other it shares (read-only, through
``objects/info/alternates``) the objects, and copies the settings, excludes and attributes.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from exprun.errors import GitError
from exprun.git.repository import Repository

if TYPE_CHECKING:
    from exprun.git.config import GitConfig

# What says where a repository is, how it is stored, or makes Git run programs of the original.
_NOT_SHARED = re.compile(
    r"(extensions|include|includeif|index|gc|maintenance|submodule)\."
    r"|core\.(worktree|bare|repositoryformatversion|hookspath|fsmonitor|untrackedcache"
    r"|sparsecheckout|sparsecheckoutcone|splitindex|logallrefupdates)$|lfs\.storage$"
)
_COPIED = ("info/exclude", "info/attributes", "shallow")


def create_isolated_git(root: str, source: Repository, *, commit: str, settings: str) -> Repository:
    """Make ``root/.git``, without an index, with HEAD detached at `commit`."""
    git_dir = os.path.join(root, ".git")
    objects = os.path.realpath(source.objects.directory)
    if "\n" in objects:
        raise GitError("the path of the git repository contains a newline", where=objects)
    for directory in ("", "objects", "objects/info", "refs", "info"):
        os.mkdir(f"{git_dir}/{directory}", 0o700)
    _write(f"{git_dir}/objects/info/alternates", objects + "\n")
    _write(f"{git_dir}/config", settings)
    for name in _COPIED:
        try:
            with open(f"{source.common_dir}/{name}", errors="surrogateescape") as file:
                _write(f"{git_dir}/{name}", file.read())
        except FileNotFoundError:
            continue
    _write(f"{git_dir}/HEAD", commit + "\n")
    return Repository(
        workdir=root,
        git_dir=git_dir,
        common_dir=git_dir,
        env=source.env,
        known_config=source.config,
        lender=source.objects,
    )


def isolated_settings(source: Repository) -> str:
    """The text of the isolated repository's ``config``: what the source's own files set."""
    own = format_config(source.config)
    fixed = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[gc]\n\tauto = 0\n"
    lfs = os.path.join(source.common_dir, "lfs")
    if os.path.isdir(lfs):
        fixed += f"[lfs]\n\tstorage = {_quote(os.path.realpath(lfs))}\n"
    return own + fixed


def format_config(config: GitConfig) -> str:
    """The shareable settings of the repository itself (not the user's or the system's)."""
    lines = []
    for scope, key, value in config.settings:
        if scope not in ("local", "worktree") or _NOT_SHARED.match(key):
            continue
        section, _, rest = key.partition(".")
        subsection, _, name = rest.rpartition(".")
        escaped = subsection.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'[{section} "{escaped}"]' if subsection else f"[{section}]")
        lines.append(f"\t{name}" if value is None else f"\t{name} = {_quote(value)}")
    return "".join(line + "\n" for line in lines)


def _quote(value: str) -> str:
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(char, escape)
    return f'"{value}"'


def _write(path: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "w", errors="surrogateescape") as file:
        file.write(text)
