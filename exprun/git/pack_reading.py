"""Small whole objects out of a few packs, which is all that a sweep's experiments need.

Formats: gitformat-pack, version 2. What is stored as a difference, is large, or is in one of many
packs is left to libgit2, which takes longer to load than a small run has to do.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_INDEX = b"\xfftOc\0\0\0\x02"
_NAMES_AT = 8 + 256 * 4
_CRC, _OFFSET = 4, 4
_LARGE = 1 << 31
_FEW = 4
_SMALL = 1 << 20
_HEADER = 16


def read_packed(directory: str, packs: Sequence[str], oid: str) -> tuple[int, bytes] | None:
    """The number of an object's kind and its data; None if it is not to be had here.

    `packs` are the names of the indexes in `directory`. The data is not verified.
    """
    if len(packs) > _FEW:
        return None
    for name in packs:
        path = os.path.join(directory, name)
        try:
            offset = _find(path, bytes.fromhex(oid))
            if offset is not None:
                return _read(f"{path.removesuffix('.idx')}.pack", offset)
        except (OSError, IndexError, zlib.error):
            return None
    return None


def _find(index: str, oid: bytes) -> int | None:
    """Where an object starts in the pack of an index."""
    with open(index, "rb") as file:
        if file.read(len(_INDEX)) != _INDEX:
            return None
        ends = file.read(256 * 4)
        first = _number(ends, oid[0] - 1) if oid[0] else 0
        file.seek(_NAMES_AT + 20 * first)
        names = file.read(20 * (_number(ends, oid[0]) - first))
        at = names.find(oid)
        while at % 20 and at >= 0:
            at = names.find(oid, at + 1)
        if at < 0:
            return None
        count = _number(ends, 255)
        file.seek(_NAMES_AT + (20 + _CRC) * count + _OFFSET * (first + at // 20))
        offset = _number(file.read(_OFFSET), 0)
    return None if offset & _LARGE else offset


def _read(pack: str, offset: int) -> tuple[int, bytes] | None:
    with open(pack, "rb") as file:
        file.seek(offset)
        head = file.read(_HEADER)
        kind, size, shift, used = head[0] >> 4 & 7, head[0] & 15, 4, 1
        while head[used - 1] & 128:
            size |= (head[used] & 127) << shift
            shift, used = shift + 7, used + 1
        if kind > 4 or size > _SMALL:
            return None
        # What cannot be compressed grows a little.
        packed = head[used:] + file.read(size + (size >> 8) + 64)
    return kind, zlib.decompressobj().decompress(packed, size + 1)


def _number(table: bytes, index: int) -> int:
    return int.from_bytes(table[4 * index : 4 * index + 4], "big")
