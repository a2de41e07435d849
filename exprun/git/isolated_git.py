"""A repository that borrows another's objects and can do it no harm.

It has its own HEAD, index, refs and new objects; of the other it shares (read-only, through
``objects/info/alternates``) the objects, and copies the settings, excludes and attributes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.content import read_file
from exprun.errors import GitError
from exprun.git.repository import Repository
from exprun.model.files import naming
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.git.config import GitConfig

# What says where a repository is, how it is stored, or makes Git run programs of the original.
_NOT_SHARED = pattern(
    r"(extensions|include|includeif|index|gc|maintenance|submodule)\."
    r"|core\.(worktree|bare|repositoryformatversion|hookspath|fsmonitor|untrackedcache"
    r"|sparsecheckout|sparsecheckoutcone|splitindex|logallrefupdates)$|lfs\.storage$"
)
_DIRECTORIES = ("", "objects/", "objects/info/", "refs/", "info/")
_COPIED = ("info/exclude", "info/attributes", "shallow")


def create_isolated_git(root: str, source: Repository, *, commit: str, settings: str) -> Repository:
    """Make ``root/.git``, without an index, with HEAD detached at `commit`."""
    git_dir = f"{root}/.git"
    files = _files(root, source, commit=commit, settings=settings)
    for directory in _DIRECTORIES:
        os.mkdir(f"{git_dir}/{directory}", 0o700)
    for name, data in files.items():
        _write(f"{git_dir}/{name}", data)
    return _borrowing(root, source)


def reuse_isolated_git(
    root: str, source: Repository, *, commit: str, settings: str
) -> Repository | None:
    """What `create_isolated_git` would make, if ``root/.git`` is that already, perhaps with an
    index of its own; else None.
    """
    git_dir = f"{root}/.git"
    if not _is_as_made(git_dir, _files(root, source, commit=commit, settings=settings)):
        return None
    return _borrowing(root, source)


def _borrowing(root: str, source: Repository) -> Repository:
    git_dir = f"{root}/.git"
    return Repository(
        workdir=root,
        git_dir=git_dir,
        common_dir=git_dir,
        env=source.env,
        known_config=source.config,
        lender=source.objects,
    )


def _files(root: str, source: Repository, *, commit: str, settings: str) -> dict[str, bytes]:
    objects = source.objects.real_directory
    if "\n" in objects:  # which ends a line of the file that names the directory
        objects = os.path.relpath(objects, os.path.realpath(f"{root}/.git/objects"))
    if "\n" in objects:
        raise GitError("the path of the git repository contains a newline", where=objects)
    files = {
        "objects/info/alternates": os.fsencode(objects) + b"\n",
        "config": settings.encode(errors="surrogateescape"),
        "HEAD": commit.encode() + b"\n",
    }
    for name in _COPIED:
        try:
            files[name] = read_file(f"{source.common_dir}/{name}")
        except FileNotFoundError:
            continue
    return files


def _is_as_made(git_dir: str, files: Mapping[str, bytes]) -> bool:
    """Whether a repository holds just these files, besides its index."""
    owed = set(files) | {"index"}
    for directory in _DIRECTORIES:
        try:
            items = list(os.scandir(f"{git_dir}/{directory}"))
        except OSError:
            return False
        for item in items:
            path = f"{directory}{item.name}"
            if item.is_dir(follow_symlinks=False):
                if f"{path}/" not in _DIRECTORIES:
                    return False
            elif path not in owed or not item.is_file(follow_symlinks=False):
                return False
            owed.discard(path)
    return owed <= {"index"} and all(holds(f"{git_dir}/{name}", files[name]) for name in files)


def holds(path: str, data: bytes) -> bool:
    """Whether a file has this content, and no other name by which it could be changed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        same = found.st_size == len(data) and found.st_nlink == 1
        return same and os.read(descriptor, len(data) + 1) == data
    finally:
        os.close(descriptor)


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


def _write(path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with naming(path), open(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
