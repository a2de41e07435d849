"""Tree objects: their format, looking a path up, listing one, and building one from entries."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from exprun.errors import GitError
from exprun.git.objects import EMPTY_TREE
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exprun.git.objects import ObjectStore

# What os.fsencode and os.fsdecode do, without their cost per call.
ENCODING = sys.getfilesystemencoding()
ERRORS = sys.getfilesystemencodeerrors()

TREE = 0o040000
FILE = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
GITLINK = 0o160000

_MAX_DEPTH = 200
_REMEMBERED = 2000
_ENTRY = pattern(rb"[0-7]+ [^\0]+\0.{20}", re.DOTALL)


class Entry(NamedTuple):
    """What a tree holds under one name."""

    mode: int
    oid: str


def parse_tree(data: bytes) -> dict[bytes, Entry]:
    """The entries of a tree object (``<octal mode> <name>\\0<20 bytes>``, repeated)."""
    found = _ENTRY.findall(data)
    entries = dict(map(_parse_entry, found))
    if len(entries) != len(found) or b"".join(found) != data:
        raise GitError("a git tree is damaged", hint="git fsck")
    return entries


@lru_cache(_REMEMBERED)  # the trees of experiments have most of theirs in common
def _parse_entry(data: bytes) -> tuple[bytes, Entry]:
    mode, _, rest = data.partition(b" ")
    return rest[:-21], Entry(int(mode, 8), rest[-20:].hex())


def format_tree(entries: Mapping[bytes, Entry]) -> bytes:
    """The tree object; Git sorts a directory as if its name ended in ``/``."""
    ordered = sorted(
        [
            (name + b"/" if mode == TREE else name, name, mode, oid)
            for name, (mode, oid) in entries.items()
        ]
    )
    return b"".join(
        [b"%o %s\0%s" % (mode, name, bytes.fromhex(oid)) for _, name, mode, oid in ordered]
    )


def read_tree(objects: ObjectStore, oid: str) -> dict[bytes, Entry]:
    """The entries of a stored tree."""
    return {} if oid == EMPTY_TREE else parse_tree(objects.read(oid, "tree"))


def find(objects: ObjectStore, tree: str, path: str) -> Entry | None:
    """What a tree holds at `path`; symlinks are not followed. ``""`` and ``"."`` are the tree."""
    entry = Entry(TREE, tree)
    for name in () if path in ("", ".") else path.encode(ENCODING, ERRORS).split(b"/"):
        if entry.mode != TREE:
            return None
        below = read_tree(objects, entry.oid).get(name)
        if below is None:
            return None
        entry = below
    return entry


def walk(objects: ObjectStore, tree: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
    """Each path of a tree with its entry, a directory (mode `TREE`) before what it holds."""
    require_depth(prefix)
    for name, entry in read_tree(objects, tree).items():
        path = prefix + name.decode(ENCODING, ERRORS)
        yield path, entry
        if entry.mode == TREE:
            yield from walk(objects, entry.oid, path + "/")


def require_depth(prefix: str) -> None:
    """Raise GitError for a directory, with a slash at its end, that is too deep in a tree."""
    if prefix.count("/") > _MAX_DEPTH:
        raise GitError("a git tree is nested too deeply")


def files_of(objects: ObjectStore, tree: str) -> dict[str, Entry]:
    """All that a tree holds at any depth except directories."""
    return {path: entry for path, entry in walk(objects, tree) if entry.mode != TREE}


def changes_between(
    objects: ObjectStore, old: str, new: str, prefix: str = ""
) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Each path (directories apart) that differs, with what each tree holds there."""
    if old == new:
        return
    require_depth(prefix)
    before, after = read_tree(objects, old), read_tree(objects, new)
    for name in sorted(before.keys() | after.keys()):
        one, two = before.get(name), after.get(name)
        if one == two:
            continue
        path = prefix + name.decode(ENCODING, ERRORS)
        one_file = one if one and one.mode != TREE else None
        two_file = two if two and two.mode != TREE else None
        if one_file or two_file:
            yield path, one_file, two_file
        if one_file is not one or two_file is not two:
            yield from changes_between(
                objects,
                one.oid if one and one_file is None else EMPTY_TREE,
                two.oid if two and two_file is None else EMPTY_TREE,
                path + "/",
            )


def edit_tree(objects: ObjectStore, tree: str, changes: Mapping[str, Entry | None]) -> str:
    """The tree with some paths set or (None) removed; directories that become empty go.

    Only the trees above a change are read and written.
    """
    entries = read_tree(objects, tree)
    below: dict[bytes, dict[str, Entry | None]] = {}
    here: dict[bytes, Entry | None] = {}
    for path, entry in changes.items():
        first, slash, rest = path.partition("/")
        if slash:
            below.setdefault(first.encode(ENCODING, ERRORS), {})[rest] = entry
        else:
            here[first.encode(ENCODING, ERRORS)] = entry
    for name, inner in below.items():
        old = entries.get(name)
        was_tree = old is not None and old.mode == TREE
        new = edit_tree(objects, old.oid if old and was_tree else EMPTY_TREE, inner)
        if new != EMPTY_TREE:
            entries[name] = Entry(TREE, new)
        elif was_tree:
            del entries[name]
    for name, leaf in here.items():
        if leaf is not None:
            entries[name] = leaf
        elif name in entries and entries[name].mode != TREE:
            del entries[name]
    return write_tree(objects, entries)


def write_tree(objects: ObjectStore, entries: Mapping[bytes, Entry]) -> str:
    """Store a tree; its name."""
    return objects.write("tree", format_tree(entries))
