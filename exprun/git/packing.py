"""Many new objects as one pack: a few fsyncs for all of them, and no thousand loose files.

Formats: gitformat-pack, version 2, for the pack (no deltas) and its index. A ``.keep`` file beside
it makes ``git gc`` leave the pack alone until a ref holds what is in it.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.content import only_files
from exprun.git.objects import NewFile, ObjectStore, object_name
from exprun.git.refs import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from exprun.git.pack_reading import Kind

_NUMBERS: dict[Kind, int] = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_LIMIT = 32 << 20
_ATTEMPTS = 4


class PackWriter(ObjectStore):
    """New objects on top of `base`, kept in memory (within limits) until `sync` stores them.

    From then until `close` nothing can prune them; by then a ref should hold them. `label` is the
    single word that says whose they are, see `remove_stale_keeps`; without one, only a prune that
    is going on already leaves them alone.
    """

    def __init__(self, base: ObjectStore, *, label: str | None = None) -> None:
        super().__init__(base.directory, lender=base, sharing=base.sharing)
        self._base = base
        self._label = label
        self._pending: dict[str, tuple[Kind, int, bytes]] = {}
        self._size = 0
        self._keeps: list[str] = []
        self.left_loose: list[str] = []
        """What was stored as it comes, and can be pruned."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the packs to Git."""
        while self._keeps:
            with suppress(FileNotFoundError):
                os.unlink(self._keeps.pop())

    def contains(self, oid: str) -> bool:
        return oid in self._pending or super().contains(oid)

    def write(self, kind: Kind, data: bytes) -> str:
        oid = object_name(kind, data)
        if oid not in self._pending:
            packed = zlib.compress(data, 1)
            self._pending[oid] = kind, len(data), packed
            self._size += len(packed)
            if self._size > _LIMIT:
                self._write_pack()
        return oid

    def write_file(self, path: str) -> str:
        """As a loose object: it may be too large to be held in memory."""
        oid = self._base.write_file(path)
        self.left_loose.append(oid)
        return oid

    def write_again(self, oid: str) -> None:
        """Store an object that is here already."""
        self.write(*self._read(oid))

    def copy_from(self, other: ObjectStore, oid: str) -> None:
        self._base.copy_from(other, oid)
        self.left_loose.append(oid)

    def sync(self) -> None:
        """Make every object written so far durable."""
        self._write_pack()
        self._base.sync()

    def _read(self, oid: str) -> tuple[Kind, bytes]:
        if oid in self._pending:
            kind, _, packed = self._pending[oid]
            return kind, zlib.decompress(packed)
        return super()._read(oid)

    def _write_pack(self) -> None:
        if not self._pending:
            return
        pack, entries = _build_pack(self._pending)
        directory = f"{self.directory}/pack"
        self.sharing.make_directories(directory)
        path = f"{directory}/pack-{pack[-20:].hex()}"
        if self._label is not None:
            self._write_new(f"{directory}/tmp_keep_", f"{path}.keep", f"{self._label}\n".encode())
            self._keeps.append(f"{path}.keep")
        self._write_new(f"{directory}/tmp_pack_", f"{path}.pack", pack)
        self._write_new(f"{directory}/tmp_idx_", f"{path}.idx", _build_index(entries, pack[-20:]))
        sync_directory(directory)
        self._pending.clear()
        self._size = 0

    def _write_new(self, prefix: str, path: str, data: bytes) -> None:
        """Write a file durably, and give it its name only then.

        It goes if it is there when somebody prunes; it is written again then.
        """
        for _ in range(_ATTEMPTS):
            with suppress(FileNotFoundError):
                self._write_once(prefix, path, data)
                return
        self._write_once(prefix, path, data)

    def _write_once(self, prefix: str, path: str, data: bytes) -> None:
        with NewFile(prefix) as file:
            file.write(data)
            self.sharing.adjust(file.descriptor)
            file.sync()
            os.rename(file.path, path)


def remove_stale_keeps(objects: ObjectStore, is_stale: Callable[[str], bool]) -> None:
    """Remove the ``.keep`` files of killed processes: those whose label `is_stale`."""
    directory = f"{objects.directory}/pack"
    names = os.listdir(directory) if os.path.isdir(directory) else []
    for path in (f"{directory}/{name}" for name in names if name.endswith(".keep")):
        with suppress(FileNotFoundError):
            with open(path, errors="replace", opener=only_files) as file:
                label = file.readline(200).strip()
            if is_stale(label):
                os.unlink(path)


_Entries = list[tuple[bytes, int, int]]
"""Each object's name, CRC-32 of its bytes in the pack, and offset."""


def _build_pack(objects: dict[str, tuple[Kind, int, bytes]]) -> tuple[bytes, _Entries]:
    pack = bytearray(b"PACK" + (2).to_bytes(4) + len(objects).to_bytes(4))
    entries: _Entries = []
    for oid, (kind, size, packed) in objects.items():
        data = _entry_header(_NUMBERS[kind], size) + packed
        entries.append((bytes.fromhex(oid), zlib.crc32(data), len(pack)))
        pack += data
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()
    return bytes(pack), entries


def _entry_header(number: int, size: int) -> bytes:
    """Four bits of the size beside the kind, then seven in each byte, the top bit for more."""
    header = bytearray()
    byte = number << 4 | size & 15
    size >>= 4
    while size:
        header.append(byte | 128)
        byte = size & 127
        size >>= 7
    header.append(byte)
    return bytes(header)


def _build_index(entries: _Entries, checksum: bytes) -> bytes:
    ordered = sorted(entries)
    counts = [0] * 256
    for oid, _, _ in ordered:
        counts[oid[0]] += 1
    index = bytearray(b"\377tOc" + (2).to_bytes(4))
    total = 0
    for count in counts:
        total += count
        index += total.to_bytes(4)
    for column in (0, 1, 2):
        for entry in ordered:
            value = entry[column]
            index += value if isinstance(value, bytes) else value.to_bytes(4)
    index += checksum
    index += hashlib.sha1(index, usedforsecurity=False).digest()
    return bytes(index)
