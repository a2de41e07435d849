"""The index file: read in every version, written in the simplest (gitformat-index).

Entries keep the stat data Git recorded, so the index serves as a cache of "this file
has not changed since it was hashed". The index of the user's worktree is only ever read.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, NamedTuple

from exprun.errors import GitError, IndexConflict
from exprun.git.tree import ENCODING, ERRORS
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

_ENTRY = struct.Struct(">16s4x4sI12s20sH")
_STAT = struct.Struct(">8I")
_SIGNATURE = b"DIRC"
_CHECKSUM = 20
_EXTENDED = 0x4000
_ASSUME_VALID = 0x8000
_SKIP_WORKTREE = 0x4000
_INTENT_TO_ADD = 0x2000
_NAME_MASK = 0x0FFF
_32_BITS = 0xFFFFFFFF
_PADDING = bytes(8)
_SHOWN_CONFLICTS = 3


Stat = bytes
"""What Git remembers of a file, as `_STAT` packs it: any difference means it may have changed."""


def stat_of(found: os.stat_result) -> Stat:
    """What Git would remember of a file."""
    changed, modified = found.st_ctime_ns, found.st_mtime_ns
    return _STAT.pack(
        changed // 10**9 & _32_BITS,
        changed % 10**9,
        modified // 10**9 & _32_BITS,
        modified % 10**9,
        found.st_ino & _32_BITS,
        found.st_uid & _32_BITS,
        found.st_gid & _32_BITS,
        found.st_size & _32_BITS,
    )


def pack_stat(numbers: Iterable[int]) -> Stat:
    """The same from its eight numbers: times in seconds and nanoseconds, inode, owners, size."""
    return _STAT.pack(*numbers)


class IndexEntry(NamedTuple):
    """One path of the index. `stage` is 0 unless a merge left a conflict."""

    path: str
    mode: int
    oid: str
    stat: Stat
    stage: int = 0
    assume_valid: bool = False
    skip_worktree: bool = False
    intent_to_add: bool = False


class CachedTree(NamedTuple):
    """A directory of the index whose tree object Git knows: `size` entries lie below it."""

    size: int
    oid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The entries in Git's order, the directories with known trees, and when it was written."""

    entries: tuple[IndexEntry, ...] = ()
    trees: Mapping[str, CachedTree] = field(default_factory=dict)
    mtime_ns: int = 0


class UnknownFormat(Exception):
    """The index needs Git itself to be read: a split or sparse one, or a later version."""


def parse_index(data: bytes) -> Index:
    """The content of an index file. Raises `UnknownFormat`, or GitError if it is damaged."""
    try:
        signature, version, count = struct.unpack_from(">4sII", data)
        if signature != _SIGNATURE:
            raise ValueError
        if version not in (2, 3, 4):
            raise UnknownFormat
        entries, at = _parse_entries(data, version, count)
        trees = _parse_extensions(data, at)
    except (ValueError, IndexError, struct.error):
        raise GitError("the git index is damaged", hint="git fsck") from None
    return Index(entries=entries, trees=trees)


def _parse_entries(data: bytes, version: int, count: int) -> tuple[tuple[IndexEntry, ...], int]:
    entries = []
    at = 12
    path = b""
    for _ in range(count):
        start = at
        times, inode, mode, rest, oid, flags = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        more = 0
        if flags & _EXTENDED and version >= 3:
            more = data[at] << 8 | data[at + 1]
            at += 2
        if version == 4:
            dropped, at = _variable_width(data, at)
            end = data.index(b"\0", at)
            path = path[: len(path) - dropped] + data[at:end]
            at = end + 1
        else:
            length = flags & _NAME_MASK
            end = at + length if length < _NAME_MASK else data.index(b"\0", at)
            path = data[at:end]
            at = start + (end - start + 8 & ~7)
        stage = flags >> 12 & 3
        stat = times + inode + rest
        name = path.decode(ENCODING, ERRORS)
        if flags & _ASSUME_VALID or more:
            entry = IndexEntry(
                name, mode, oid.hex(), stat, stage, bool(flags & _ASSUME_VALID),
                bool(more & _SKIP_WORKTREE), bool(more & _INTENT_TO_ADD),
            )  # fmt: skip
        else:
            entry = IndexEntry(name, mode, oid.hex(), stat, stage)
        entries.append(entry)
    return tuple(entries), at


def _variable_width(data: bytes, at: int) -> tuple[int, int]:
    """The offset encoding of pack files, which version 4 uses to shorten paths."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = (value + 1 << 7) | byte & 0x7F
    return value, at + 1


def _parse_extensions(data: bytes, at: int) -> dict[str, CachedTree]:
    trees: dict[str, CachedTree] = {}
    while at < len(data) - _CHECKSUM:
        name, size = struct.unpack_from(">4sI", data, at)
        at += 8
        if name == b"TREE":
            _parse_trees(data, at, "", trees)
        elif not name[:1].isupper():  # "must be understood"
            raise UnknownFormat
        at += size
    return trees


def _parse_trees(data: bytes, at: int, parent: str, trees: dict[str, CachedTree]) -> int:
    end = data.index(b"\0", at)
    newline = data.index(b"\n", end)
    path = parent + data[at:end].decode(ENCODING, ERRORS)
    count, children = map(int, data[end + 1 : newline].split(b" "))
    at = newline + 1
    if count >= 0:
        trees[path] = CachedTree(count, data[at : at + 20].hex())
        at += 20
    for _ in range(children):
        at = _parse_trees(data, at, path + "/" if path else "", trees)
    return at


def format_index(entries: Iterable[IndexEntry], trees: Mapping[str, CachedTree]) -> bytes:
    """An index file of version 2 for entries without flags, in any order."""
    return make_index(entries, trees)[0]


def make_index(
    entries: Iterable[IndexEntry], trees: Mapping[str, CachedTree]
) -> tuple[bytes, Index]:
    """The same, and what reading it gives."""
    ordered = sorted([(entry.path.encode(ENCODING, ERRORS), entry) for entry in entries])
    parts = [struct.pack(">4sII", _SIGNATURE, 2, len(ordered))]
    for path, entry in ordered:
        stat, length = entry.stat, len(path)
        head = _ENTRY.pack(
            stat[:16], stat[16:20], entry.mode, stat[20:], bytes.fromhex(entry.oid),
            length if length < _NAME_MASK else _NAME_MASK,
        )  # fmt: skip
        parts += head, path, _PADDING[(_ENTRY.size + length) % 8 :]
    if trees:
        text = _format_trees(trees)
        parts.append(struct.pack(">4sI", b"TREE", len(text)) + text)
    content = b"".join(parts)
    index = Index(entries=tuple([entry for _, entry in ordered]), trees=trees)
    return content + _checksum(content), index


def is_whole_index(data: bytes) -> bool:
    """Whether an index file is as it was meant to be: its checksum says so."""
    return len(data) > _CHECKSUM and data.endswith(_checksum(data[:-_CHECKSUM]))


def _checksum(content: bytes) -> bytes:
    return hashlib.sha1(content, usedforsecurity=False).digest()


def _format_trees(trees: Mapping[str, CachedTree]) -> bytes:
    children: dict[str, set[str]] = {"": set()}
    for path in trees:
        while path:
            parent, _, name = path.rpartition("/")
            children.setdefault(path, set())
            children.setdefault(parent, set()).add(name)
            path = parent
    parts: list[bytes] = []

    def add(path: str, name: str) -> None:
        known = trees.get(path)
        count = known.size if known else -1
        parts.append(name.encode(ENCODING, ERRORS) + b"\0%d %d\n" % (count, len(children[path])))
        if known:
            parts.append(bytes.fromhex(known.oid))
        for child in sorted(children[path]):
            add(f"{path}/{child}" if path else child, child)

    add("", "")
    return b"".join(parts)


def refuse_conflicts(index: Index) -> None:
    """Raise IndexConflict if there are any, naming the paths: no tree can be made."""
    paths = sorted({entry.path for entry in index.entries if entry.stage})
    if paths:
        shown = ", ".join(paths[:_SHOWN_CONFLICTS]) + (", …" if paths[_SHOWN_CONFLICTS:] else "")
        raise IndexConflict(
            f"the git index has unresolved conflicts: {shown}",
            hint="resolve them, then: git add <paths>",
        )
