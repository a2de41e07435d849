"""Hashes are DVC's, and true of one state of the file."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import TYPE_CHECKING, Any

import pytest
from dvc_data.hashfile.hash import file_md5
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import StoreError
from exprun.store import hashing
from exprun.store.failures import reporting
from exprun.store.hashing import CHUNK, LARGE, hash_bytes, hash_file, hash_files

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 1 << 20

CONTENTS = [
    b"",
    b"a\r\nb\r\n",
    b"\0a\r\nb\r\n",
    b"x" * CHUNK,
    b"x" * (CHUNK + 1),
    # A line end across the legacy block's border, and a binary block after a text one.
    b"t" * (BLOCK - 1) + b"\r\n" + b"u\r\n",
    b"t\r\n" * 400_000 + b"\0" * 600 + b"\r\n" * 300_000,
    bytes(range(256)) * 10,
    "é\r\n".encode() * 100,
]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("data", CONTENTS, ids=range(len(CONTENTS)))
def test_hash_is_dvcs(tmp_path: Path, data: bytes, legacy: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    expected = file_md5(str(path), name="md5-dos2unix" if legacy else "md5")
    assert hash_file(str(path), legacy=legacy)[0] == expected
    assert hash_bytes(data, legacy=legacy) == expected


@settings(max_examples=60)
@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b"\x80\x81", b"\0"]), max_size=40))
def test_legacy_text_test_is_dvcs(tmp_path_factory: pytest.TempPathFactory, parts: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "legacy"
    path.write_bytes(b"".join(parts))
    assert hash_file(str(path), legacy=True)[0] == file_md5(str(path), name="md5-dos2unix")


def test_many_files_keep_their_order(tmp_path: Path) -> None:
    sizes = [LARGE, 1, LARGE + 1, 0, LARGE * 2]
    for index, size in enumerate(sizes):
        (tmp_path / str(index)).write_bytes(bytes([index]) * size)
    paths = [str(tmp_path / str(index)) for index in range(len(sizes))]
    threaded = [oid for oid, _ in hash_files(paths, sizes, jobs=3)]
    assert threaded == [hash_file(path)[0] for path in paths]


def test_an_error_in_a_thread_is_raised(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * LARGE)
    paths = [str(tmp_path / "a"), str(tmp_path / "gone")]
    with pytest.raises(FileNotFoundError):
        hash_files(paths, [LARGE, LARGE], jobs=2)


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="not a regular file"):
        hash_file(str(tmp_path / "pipe"))


def test_a_file_changed_meanwhile_is_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    plain = hashing._hash_plain
    writes = [b"newer"]

    def disturbed(fd: int) -> str:
        digest = plain(fd)
        if writes:
            path.write_bytes(writes.pop())
        return digest

    monkeypatch.setattr(hashing, "_hash_plain", disturbed)
    assert hash_file(str(path))[0] == hash_bytes(b"newer")
    writes.extend(b"x" * n for n in range(9))
    with pytest.raises(StoreError, match="keeps changing"):
        hash_file(str(path))


def test_files_are_read_to_the_beginning_of_a_page() -> None:
    address = ctypes.addressof(ctypes.c_char.from_buffer(hashing._buffer()))
    assert address % mmap.PAGESIZE == 0


def test_what_fails_through_a_descriptor_is_told_by_its_path(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.touch()

    with (
        place.open() as file,
        pytest.raises(StoreError, match=f"{place}: cannot list"),
        reporting("list", str(place)),
    ):
        os.scandir(file.fileno())
