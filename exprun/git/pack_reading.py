"""Small whole objects out of a few packs, which is all that a sweep's experiments need.

Formats: gitformat-pack, version 2. What is stored as a difference, is large, or is in one of many
packs is left to libgit2, which takes longer to load than a small run has to do.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from typing import Literal
from weakref import finalize

Kind = Literal["blob", "tree", "commit", "tag"]

KINDS: dict[int, Kind] = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}

_INDEX = b"\xfftOc\0\0\0\x02"
_FAN_OUT = struct.Struct(">256I")
_NAMES_AT = len(_INDEX) + _FAN_OUT.size
_NAME, _CRC, _OFFSET = 20, 4, 4
_LARGE = 1 << 31
_FEW = 50
"""At more, ``git gc --auto`` makes one of them."""
_SMALL = 1 << 20
_GUESS = 1 << 10
_WINDOW = 400
"""So many names are searched through in the time of a few comparisons here."""


class Packs:
    """The packs in a directory. An index is opened once, and stays so.

    What was packed since they were looked for is found after the next `look`.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._known: dict[str, _Pack | None] = {}
        self._latest: _Pack | None = None

    def look(self) -> bool:
        """Look for packs; whether there are others than before."""
        known = self._known
        self._known = {}
        names = [name for name in names_in(self._directory) if name.endswith(".idx")]
        for name in names if len(names) <= _FEW else ():
            pack = known.get(name)
            if pack is None:
                # What cannot be read is libgit2's to judge.
                with suppress(OSError, ValueError, struct.error):
                    pack = _Pack(os.path.join(self._directory, name.removesuffix(".idx")))
            self._known[name] = pack
        return known.keys() != self._known.keys()

    def read(self, oid: str) -> tuple[Kind, bytes] | None:
        """The kind and data of an object, not verified; None if it is not to be had here."""
        name = bytes.fromhex(oid)
        # Objects that are read one after the other are mostly neighbours.
        for pack in (self._latest, *self._known.values()):
            if pack is not None and (offset := pack.find(name)) is not None:
                self._latest = pack
                try:
                    return pack.read(offset)
                except (OSError, IndexError, zlib.error):
                    return None
        return None


class _Pack:
    """A pack with its index."""

    def __init__(self, path: str) -> None:
        with open(f"{path}.idx", "rb") as file:
            self._index = mmap(file.fileno(), 0, access=ACCESS_READ)
        if self._index[: len(_INDEX)] != _INDEX:
            raise ValueError
        self._ends = (0, *_FAN_OUT.unpack_from(self._index, len(_INDEX)))
        self._offsets_at = _NAMES_AT + (_NAME + _CRC) * self._ends[-1]
        # Not mapped: what is mapped of a pack of gigabytes counts as memory of this process.
        self._data = os.open(f"{path}.pack", os.O_RDONLY | os.O_CLOEXEC)
        finalize(self, os.close, self._data)

    def find(self, oid: bytes) -> int | None:
        """Where an object starts; None if it is not here, or too far behind."""
        first, end = self._ends[oid[0]], self._ends[oid[0] + 1]
        while end - first > _WINDOW:
            middle = (first + end) // 2
            if self._names(middle, middle + 1) <= oid:
                first = middle
            else:
                end = middle
        names = self._names(first, end)
        at = names.find(oid)
        while at > 0 and at % _NAME:  # the end of one name and the start of the next
            at = names.find(oid, at + 1)
        if at < 0:
            return None
        offset = self._number(self._offsets_at + _OFFSET * (first + at // _NAME))
        return None if offset & _LARGE else offset

    def read(self, offset: int) -> tuple[Kind, bytes] | None:
        """The object that starts there, if it is small and whole."""
        packed = os.pread(self._data, _GUESS, offset)
        first = packed[0]
        kind, size, shift, used = KINDS.get(first >> 4 & 7), first & 15, 4, 1
        while packed[used - 1] & 128:
            size |= (packed[used] & 127) << shift
            shift, used = shift + 7, used + 1
        if kind is None or size > _SMALL:
            return None
        # What cannot be compressed grows a little.
        longest = used + size + (size >> 8) + 64
        data = _inflate(packed[used:], size)
        if len(data) != size and longest > _GUESS:
            data = _inflate(os.pread(self._data, longest, offset)[used:], size)
        return kind, data

    def _names(self, first: int, end: int) -> bytes:
        return self._index[_NAMES_AT + _NAME * first : _NAMES_AT + _NAME * end]

    def _number(self, at: int) -> int:
        return int.from_bytes(self._index[at : at + 4], "big")


def _inflate(packed: bytes, size: int) -> bytes:
    return zlib.decompressobj().decompress(packed, size + 1)


def names_in(directory: str) -> list[str]:
    """The names in a directory; none if it is not there."""
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
