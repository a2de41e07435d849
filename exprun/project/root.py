"""Where the project and its Git repository are, found by walking up from a directory."""

from __future__ import annotations

import os
from contextlib import suppress

from exprun.content import only_files
from exprun.errors import NotAProject, ProjectError
from exprun.model.paths import ROOT, Location
from exprun.model.values import dataclass

DVC_DIR = ".dvc"
_STATE = ("exprun", "exprun/queue", "exps", "exps/exprun", "exps/standalone")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitPlace:
    """A Git repository with a work tree. All paths absolute.

    `git_dir` is where HEAD and the index of this work tree are; `common_dir`, which differs only in
    a linked work tree, holds refs, objects and configuration.
    """

    work_tree: str
    git_dir: str
    common_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A DVC project on disk, and where in it someone stands. All paths absolute.

    `root` may lie below the work tree of `git` (``dvc init --subdir``).
    """

    root: str
    cwd: Location = ROOT
    git: GitPlace | None = None

    @property
    def dvc_dir(self) -> str:
        return os.path.join(self.root, DVC_DIR)

    @property
    def tmp_dir(self) -> str:
        """Where DVC keeps its locks and temporary files."""
        return os.path.join(self.root, DVC_DIR, "tmp")

    @property
    def state_dir(self) -> str:
        """Where exprun keeps its own state. Nothing of DVC lies there."""
        return os.path.join(self.root, DVC_DIR, "tmp", "exprun")

    @property
    def running_dir(self) -> str:
        """Where the sessions at work have a file each (`exprun.runner.presence`)."""
        return os.path.join(self.state_dir, "running")

    @property
    def prefix(self) -> str:
        """The project's root as seen from the work tree: ``""``, or ``sub/dir``."""
        if self.git is None or self.git.work_tree == self.root:
            return ""
        return os.path.relpath(self.root, self.git.work_tree)


def find_project(start: str) -> Place:
    """The innermost DVC project that holds the directory `start`.

    As DVC, looks no further up than the mount point. Raises NotAProject, and ProjectError if links
    lead out of what is kept there.
    """
    start = os.path.abspath(start)
    if not os.path.isdir(start):
        raise NotAProject(f"directory '{start}' does not exist")
    at = start
    while not os.path.isdir(os.path.join(at, DVC_DIR)):
        above = os.path.dirname(at)
        if above == at or os.path.ismount(at):
            raise NotAProject(
                f"'{start}' is not inside a DVC project (looked up to '{at}')",
                hint=_how_to_start(start),
            )
        at = above
    cwd = ROOT if at == start else Location(os.path.relpath(start, at))
    place = Place(root=at, cwd=cwd, git=find_git(at))
    _refuse_links(place.tmp_dir)
    return place


def _refuse_links(tmp_dir: str) -> None:
    """Refuse links where our state is: a repository may have brought them, and whatever is old in
    there is removed.
    """
    for name in _STATE:
        directory = os.path.join(tmp_dir, name)
        _refuse_link(directory, is_link=os.path.islink(directory))
        # What may not be read, nobody is led astray by.
        missing = suppress(FileNotFoundError, NotADirectoryError, PermissionError)
        with missing, os.scandir(directory) as entries:
            for entry in entries:
                _refuse_link(entry.path, is_link=entry.is_symlink())


def _refuse_link(path: str, *, is_link: bool) -> None:
    if is_link:
        raise ProjectError(
            "is a link, behind which nothing of exprun's own may lie",
            where=path,
            hint="remove it; what may be a link of yours is .dvc/tmp as a whole",
        )


def find_git(start: str) -> GitPlace | None:
    """The Git repository whose work tree holds the directory `start`, if there is one.

    Understands what ``git worktree`` and submodules make: a file ``.git`` that names a directory.
    """
    at = os.path.abspath(start)
    while True:
        git_dir = _git_dir(os.path.join(at, ".git"))
        if git_dir is not None:
            return GitPlace(work_tree=at, git_dir=git_dir, common_dir=_common_dir(git_dir))
        above = os.path.dirname(at)
        if above == at:
            return None
        at = above


def _git_dir(dot_git: str) -> str | None:
    if os.path.isdir(dot_git):
        return dot_git if os.path.exists(os.path.join(dot_git, "HEAD")) else None
    first = _first_line(dot_git)
    if first is None or not first.startswith("gitdir:"):
        return None
    named = first.removeprefix("gitdir:").strip()
    git_dir = os.path.normpath(os.path.join(os.path.dirname(dot_git), named))
    return git_dir if os.path.isdir(git_dir) else None


def _common_dir(git_dir: str) -> str:
    named = _first_line(os.path.join(git_dir, "commondir"))
    return os.path.normpath(os.path.join(git_dir, named)) if named else git_dir


def _first_line(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", opener=only_files) as file:
            return file.readline(4096).rstrip("\n")
    except OSError:
        return None


def _how_to_start(start: str) -> str:
    if find_git(start) is not None:
        return "to make this Git repository a DVC project: dvc init"
    return "to start a project here: git init && dvc init"
