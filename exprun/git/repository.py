"""Opening a Git repository: where its parts are and what HEAD is."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from exprun.content import only_files, read_file, read_with_mtime
from exprun.errors import GitError, NotAProject, UnknownRepository, UsageError
from exprun.git.command import run_git
from exprun.git.config import GitConfig, read_config
from exprun.git.index_file import Index, UnknownFormat, parse_index
from exprun.git.objects import ObjectStore
from exprun.git.refs import RefStore, check_sha
from exprun.git.sharing import Sharing
from exprun.model.patterns import pattern
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pygit2

_BRANCHES = "refs/heads/"
_EXTENSIONS: dict[str, tuple[str, ...] | None] = {
    "objectformat": ("sha1",),
    "refstorage": ("files",),
    "noop": None,
    "partialclone": None,
    "preciousobjects": None,
    "relativeworktrees": None,
    "worktreeconfig": None,
}
"""How a repository may differ from the plain format, and with which values; None: with any."""
_PLACE_LENGTH = 12
_UNCLEAR = pattern(r"/(\.{0,2}/|\.{0,2}$)")  # what normalising would change


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The commit HEAD is at, and the branch it is on unless it is detached."""

    commit: str
    branch: str | None


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A worktree and its repository. Paths are absolute; `git_dir` holds HEAD and the index,
    `common_dir` objects, refs and configuration (they differ in a linked worktree).

    One thread at a time may use it.
    """

    workdir: str
    git_dir: str
    common_dir: str
    env: Mapping[str, str] = field(repr=False)
    known_config: GitConfig | None = field(default=None, repr=False)
    """The configuration, if it need not be asked for."""
    lender: ObjectStore | None = field(default=None, repr=False)
    """Whose objects this repository borrows, if it was made to."""

    @cached_property
    def refs(self) -> RefStore:
        return RefStore(self.common_dir, self._sharing)

    @cached_property
    def objects(self) -> ObjectStore:
        return ObjectStore(f"{self.common_dir}/objects", lender=self.lender, sharing=self._sharing)

    @cached_property
    def _sharing(self) -> Sharing:
        return Sharing(lambda: self.config.get("core.sharedrepository"))

    @cached_property
    def config(self) -> GitConfig:
        return self.known_config or read_config(self.workdir, self.env)

    @cached_property
    def libgit2(self) -> pygit2.Repository:
        import pygit2

        # We have looked at these already, and it need not: `_check_formats`.
        with suppress(AttributeError):  # older versions
            pygit2.settings.set_extensions([*pygit2.settings.extensions, *_EXTENSIONS])
        try:
            return pygit2.Repository(self.workdir)
        except pygit2.GitError as error:
            raise GitError(f"the git repository cannot be opened: {error}") from error

    def head(self) -> Head:
        """Where HEAD is. Raises NotAProject if there is no commit yet."""
        value = os.fsdecode(read_file(f"{self.git_dir}/HEAD")).strip()
        target = value[4:].strip() if value.startswith("ref:") else None
        commit = self.refs.read(target) if target else check_sha("HEAD", value)
        if commit is None:
            raise NotAProject(
                "the git repository has no commit yet", where=self.workdir, hint="git commit"
            )
        branch = target.removeprefix(_BRANCHES) if target else None
        return Head(commit=commit, branch=branch)

    def tree_of(self, commit: str) -> str:
        """The tree of a commit."""
        line, _, _ = self.objects.read(commit, "commit").partition(b"\n")
        return line.removeprefix(b"tree ").decode("ascii")

    def read_index(self) -> Index:
        """The index as it is now; empty if there is none. The same bytes are parsed once."""
        try:
            data, mtime_ns = read_with_mtime(f"{self.git_dir}/index")
        except FileNotFoundError:
            return Index()
        known = self._parsed.get(data)
        if known is None:
            try:
                known = parse_index(data)
            except UnknownFormat:
                from exprun.git.foreign_index import read_foreign_index

                return read_foreign_index(self.workdir, self.env, mtime_ns=mtime_ns)
            self.know_index(data, known)
        return Index(entries=known.entries, trees=known.trees, mtime_ns=mtime_ns)

    def know_index(self, data: bytes, index: Index) -> None:
        """Take note of what the index file holds if these are its bytes."""
        self._parsed.clear()
        self._parsed[data] = index

    @cached_property
    def _parsed(self) -> dict[bytes, Index]:
        return {}

    def require_trust(self) -> None:
        """Raise GitError if Git passes over the settings here: the repository is someone else's."""
        if not any(setting.scope == "local" for setting in self.config.settings):
            run_git(self.workdir, self.env, ["rev-parse", "--git-dir"])

    def inside(self, path: str) -> str:
        """An absolute path as Git names it, relative to the worktree (``""`` is the worktree).

        Raises UsageError if it lies outside.
        """
        prefix = f"{self.workdir}/"
        if path.startswith(prefix) and not _UNCLEAR.search(path):
            return path[len(prefix) :]
        relative = os.path.relpath(path, self.workdir)
        if relative == ".":
            return ""
        if relative == ".." or relative.startswith("../"):
            raise UsageError(f"'{path}' is outside of git repository '{self.workdir}'")
        return relative

    def own_refs(self, kind: str, prefix: str = "") -> str:
        """How refs of ours begin that concern this worktree alone, or the project at `prefix` in
        it, though all worktrees share them.
        """
        linked = os.path.basename(self.git_dir) if self.git_dir != self.common_dir else ""
        if not linked and not prefix:
            return f"refs/exprun/{kind}/"
        from hashlib import sha256

        place = sha256(os.fsencode(f"{linked}\0{prefix}")).hexdigest()[:_PLACE_LENGTH]
        return f"refs/exprun/{kind}-{place}/"


def open_repository(path: str, *, env: Mapping[str, str]) -> Repository:
    """The repository whose worktree holds `path`.

    `env` is the environment for git commands and identity. Raises NotAProject if there is none,
    UnknownRepository if it is of a kind that cannot be used.
    """
    workdir = os.path.realpath(path)
    while True:
        git_dir = git_dir_of(workdir)
        if git_dir is not None:
            break
        above = os.path.dirname(workdir)
        if above == workdir:
            raise NotAProject(
                "this is not inside a git repository", where=path, hint="git init && git commit"
            )
        workdir = above
    repository = Repository(
        workdir=workdir, git_dir=git_dir, common_dir=_common_dir(git_dir), env=env
    )
    _check_formats(repository)
    return repository


def git_dir_of(directory: str) -> str | None:
    """The Git directory of a worktree: its ``.git``, or what that names; None if it is none."""
    dot_git = os.path.join(directory, ".git")
    if os.path.isfile(dot_git):
        with open(dot_git, opener=only_files) as file:
            text = file.read(4096)
        if not text.startswith("gitdir:"):
            return None
        dot_git = os.path.normpath(os.path.join(directory, text.removeprefix("gitdir:").strip()))
    return dot_git if os.path.isfile(os.path.join(dot_git, "HEAD")) else None


def _common_dir(git_dir: str) -> str:
    try:
        with open(os.path.join(git_dir, "commondir"), opener=only_files) as file:
            return os.path.normpath(os.path.join(git_dir, file.read(4096).strip()))
    except FileNotFoundError:
        return git_dir


def _check_formats(repository: Repository) -> None:
    """Refuse what we would misread. The text is searched first: asking Git costs milliseconds."""
    path = os.path.join(repository.common_dir, "config")
    try:
        with open(path, errors="replace", opener=only_files) as file:
            text = file.read().lower()
    except FileNotFoundError:
        return
    if "[extensions" not in text and "worktree" not in text:
        return
    # Asked in the repository, a Git that knows less than we do would say nothing of it.
    listed = run_git("/", repository.env, ["config", "--file", path, "--list", "-z"])
    lines = listed.decode(errors="replace").split("\0")
    settings = dict(line.partition("\n")[::2] for line in lines)
    is_bound = settings.get("core.repositoryformatversion", "0") != "0"
    for key, value in settings.items():
        if key.startswith("extensions."):
            usual = _EXTENSIONS.get(key.removeprefix("extensions."), () if is_bound else None)
            if usual is not None and value.lower() not in usual:
                raise _unknown(repository, key, value)
    worktree = settings.get("core.worktree")
    # Git passes over it in linked worktrees.
    if worktree is not None and repository.git_dir == repository.common_dir:
        if os.path.realpath(os.path.join(repository.git_dir, worktree)) != repository.workdir:
            raise _unknown(repository, "core.worktree", worktree)


def _unknown(repository: Repository, key: str, value: str) -> UnknownRepository:
    return UnknownRepository(
        f"repositories with {key} = {value} are not supported", where=repository.workdir
    )
