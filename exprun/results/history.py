"""Commits as the user names them: revisions, what came before them, and what they are called."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from exprun.content import read_file
from exprun.errors import GitError, UsageError
from exprun.git.experiment_refs import find_experiment, list_experiments
from exprun.model.near import did_you_mean
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exprun.git.repository import Head, Repository

_BRANCHES, _TAGS, _REMOTES = "refs/heads/", "refs/tags/", "refs/remotes/"
_FULL_SHA = pattern(r"[0-9a-f]{40}")
_COMMIT = pattern(
    r"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author .*\ncommitter .* (-?[0-9]+) [^ \n]+\n"
)


class Commit(NamedTuple):
    """What a commit object says. `time` is the committer's, in seconds since 1970."""

    tree: str
    parents: tuple[str, ...]
    time: int


class History:
    """The commits of a repository. One thread at a time may use it."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.head: Head = repository.head()

    def commit(self, rev: str) -> Commit:
        """The commit of that full name, as Git sees it: where a shallow clone ends, it has no
        parents. Raises GitError.
        """
        found = parse_commit(self._repository.objects.read(rev, "commit"))
        return found._replace(parents=()) if rev in self._shallow else found

    @cached_property
    def _shallow(self) -> frozenset[str]:
        """The commits at which a shallow clone ends."""
        try:
            return frozenset(read_file(f"{self._repository.common_dir}/shallow").decode().split())
        except FileNotFoundError:
            return frozenset()

    def resolve(self, revision: str, *, others: Iterable[str] = ()) -> str:
        """The commit that a branch, tag, sha, experiment or ``HEAD~2`` means.

        As in DVC, Git's names go before experiments'. Raises UsageError if there is no such thing,
        or more than one; what comes near is suggested, `others` too.
        """
        if (commit := self._git_revision(revision)) is not None:
            return commit
        refs = self._repository.refs
        if found := find_experiment(refs, revision, head=self.head.commit):
            return found[1]
        known = chain((ref.name for ref, _ in list_experiments(refs)), others)
        raise UsageError(
            f"unknown Git revision '{revision}'",
            hint=did_you_mean(revision, known, "exprun list -A"),
        )

    def _git_revision(self, revision: str) -> str | None:
        if revision == "HEAD":
            return self.head.commit
        objects, refs = self._repository.objects, self._repository.refs
        if _FULL_SHA.fullmatch(revision) and objects.contains(revision):
            return self._peel(revision)
        for prefix in ("", "refs/", _TAGS, _BRANCHES, _REMOTES):
            name = prefix + revision
            if name.startswith("refs/") and _is_plain(name) and (value := refs.read(name)):
                return self._peel(value)
        if find_experiment(refs, revision, head=self.head.commit) and not _looks_like_git(revision):
            return None
        return self._ask_libgit2(revision)

    def _ask_libgit2(self, revision: str) -> str | None:
        """The rest of Git's grammar: short shas, ``~``, ``^``, ``@{…}``."""
        import pygit2

        try:
            return str(self._repository.libgit2.revparse_single(revision).peel(pygit2.Commit).id)
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def _peel(self, oid: str) -> str | None:
        """The commit that an object is, or that an annotated tag leads to."""
        objects = self._repository.objects
        for _ in range(10):
            try:
                objects.read(oid, "commit")
            except GitError:
                try:
                    first, _, _ = objects.read(oid, "tag").partition(b"\n")
                except GitError:
                    return None
                oid = first.removeprefix(b"object ").decode()
            else:
                return oid
        return None

    def back(self, revisions: Iterable[str], count: int) -> list[str]:
        """Each commit with its ancestors along first parents, `count` in all; negative: to the
        root. No commit comes twice.
        """
        found: dict[str, None] = {}
        for revision in revisions:
            rev: str | None = self.resolve(revision)
            left = count
            while rev is not None and left != 0:
                found[rev] = None
                left -= 1
                rev = self.parent(rev) if left else None
        return list(found)

    def parent(self, rev: str) -> str | None:
        """The first parent of a commit. Raises GitError."""
        return next(iter(self.commit(rev).parents), None)

    def branches(self) -> list[str]:
        return [name for name, _ in self._repository.refs.iterate(_BRANCHES)]

    def tags(self) -> list[str]:
        return [name for name, _ in self._repository.refs.iterate(_TAGS)]

    def everything(self) -> list[str]:
        """Every commit of HEAD, branches, remotes and tags, newest first."""
        known: dict[str, int] = {}
        pending = [self.head.commit]
        for prefix in (_BRANCHES, _REMOTES, _TAGS):
            values = (value for _, value in self._repository.refs.iterate(prefix))
            pending += [commit for value in values if (commit := self._peel(value))]
        while pending:
            rev = pending.pop()
            if rev in known:
                continue
            try:
                found = self.commit(rev)
            except GitError:  # is missing
                continue
            known[rev] = found.time
            pending += found.parents
        return sorted(known, key=known.__getitem__, reverse=True)

    def names(self, revs: Iterable[str]) -> dict[str, str | None]:
        """What each commit is called: by the current branch, else a tag, else a branch."""
        refs = self._repository.refs
        names: dict[str, str] = {}
        for prefix in (_TAGS, _BRANCHES):
            for ref, value in refs.iterate(prefix):
                commit = self._peel(value) if prefix == _TAGS else value
                if commit is not None:
                    names.setdefault(commit, ref.removeprefix(prefix))
        if self.head.branch is not None:
            names[self.head.commit] = self.head.branch
        return {rev: names.get(rev) for rev in revs}


def parse_commit(data: bytes) -> Commit:
    """The fields of a commit object that we need. Raises GitError for what is none."""
    header = data[: data.find(b"\n\n") + 1].decode("ascii", "replace")
    found = _COMMIT.match(header)
    if found is None:
        raise GitError("a git commit is damaged", hint="git fsck")
    tree, parents, time = found.groups()
    return Commit(tree, tuple(parents.split()[1::2]), int(time))


def _is_plain(ref: str) -> bool:
    """Whether a ref of that name may be read as a file: no way out of the directory."""
    is_path = ".." in ref or "//" in ref or "\0" in ref
    return not (is_path or ref.endswith(("/", ".lock")))


def _looks_like_git(revision: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{4,40}", revision) is not None
