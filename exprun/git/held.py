"""Commits that no branch knows, held by a ref of ours so that Git keeps them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from exprun.errors import GitError
from exprun.git.command import NO_HOOKS, run_git
from exprun.git.objects import EMPTY_TREE, Pruned
from exprun.git.packing import PackWriter
from exprun.git.refs import RefEdit
from exprun.git.tree import GITLINK, TREE, read_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from exprun.git.identity import Signature
    from exprun.git.objects import ObjectStore
    from exprun.git.repository import Repository

_T = TypeVar("_T")

_STORED_AGAIN = 4
"""How often something is stored once more if Git prunes it before it has a ref."""


def stored(store: Callable[[], _T]) -> _T:
    """What `store` returns; it is called anew when Git prunes what it has written. Raises Pruned if
    that happens all the time.
    """
    for _ in range(_STORED_AGAIN):
        with suppress(Pruned):
            return store()
    return store()


def point(
    repository: Repository,
    ref: str,
    commit: str,
    *,
    expected: str | None,
    owed: Iterable[str],
) -> None:
    """Make every object written so far durable, then point `ref`, which is at `expected`, to
    `commit`, which adds the objects `owed` to what other refs hold.

    Raises RefConflict; and Pruned, with the ref left where it was, if not all of them are there:
    they have to be written again.
    """
    objects = repository.objects
    objects.sync()
    oids = _require(objects, owed, ref)
    repository.refs.write(ref, commit, expected=expected)
    try:
        _require(objects, oids, ref)
        if os.path.exists(f"{repository.common_dir}/gc.pid"):
            # It may have looked at the refs before this one was there, and will then take whatever
            # was loose, or packed, when it began; not a pack that has come since.
            _pack(objects, oids, ref)
    except Pruned:
        repository.refs.change([RefEdit(ref, commit, expected)])
        raise


def _require(objects: ObjectStore, oids: Iterable[str], ref: str) -> list[str]:
    """The objects, all of which are there; each is looked for before the next one is named."""
    found = []
    for oid in oids:
        if not objects.contains(oid):
            raise _pruned(ref)
        found.append(oid)
    return found


def _pack(objects: ObjectStore, oids: Iterable[str], ref: str) -> None:
    with PackWriter(objects) as packed:
        for oid in oids:
            try:
                packed.write_again(oid)
            except GitError:
                raise _pruned(ref) from None
        packed.sync()


def _pruned(ref: str) -> Pruned:
    return Pruned(f"what git stored for {ref} has gone", hint="is git pruned all the time?")


def objects_of(repository: Repository, baseline: str, commit: str) -> Iterator[str]:
    """The commit and all that it adds to the baseline; each is named before it is read."""
    yield commit
    old, new = repository.tree_of(baseline), repository.tree_of(commit)
    yield from _added(repository.objects, old, new)


def _added(objects: ObjectStore, old: str, new: str) -> Iterator[str]:
    """The tree `new` and all in it that `old` does not have under the same name."""
    if new in (old, EMPTY_TREE):
        return
    yield new
    before = read_tree(objects, old)
    for name, entry in read_tree(objects, new).items():
        known = before.get(name)
        if entry == known or entry.mode == GITLINK:
            continue
        if entry.mode == TREE:
            below = known.oid if known and known.mode == TREE else EMPTY_TREE
            yield from _added(objects, below, entry.oid)
        else:
            yield entry.oid


def write_held_commit(
    objects: ObjectStore, *, tree: str, parents: Sequence[str], message: str, who: Signature
) -> str:
    """Store a commit of any number of parents; its name."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {who}", f"committer {who}", "", message, ""]
    return objects.write("commit", "\n".join(lines).encode(errors="surrogateescape"))


def hold(
    repository: Repository,
    objects: ObjectStore,
    ref: str,
    commits: Sequence[str],
    who: Signature,
    *,
    owed: Iterable[str],
) -> None:
    """Make what was written to `objects` durable, and the new `ref` hold all of `commits`.

    Of several commits the ref holds one that has them for parents. Raises Pruned if those that are
    `owed` to them and may be pruned are not there.
    """
    if len(commits) == 1:
        [commit] = commits
    else:
        objects.write("tree", b"")
        commit = write_held_commit(
            objects, tree=EMPTY_TREE, parents=commits, message="exprun: queued together", who=who
        )
    objects.sync()
    point(repository, ref, commit, expected=None, owed=owed)


def let_go(repository: Repository, refs: Iterable[str]) -> None:
    """Delete refs, wherever they are stored. No hook is run."""
    commands = "".join(f"delete {ref}\n" for ref in refs)
    if commands:
        args = [*NO_HOOKS, "update-ref", "--stdin"]
        run_git(repository.workdir, repository.env, args, commands.encode())
