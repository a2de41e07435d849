"""What files are read for, and what is no file."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from exprun.content import only_files, read_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_is_read_to_its_end(size: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(os.urandom(size))
    assert read_file(str(tmp_path / "f")) == (tmp_path / "f").read_bytes()


def test_a_file_whose_size_is_not_known_is_read_to_its_end() -> None:
    with open("/proc/self/cmdline", "rb") as file:
        assert read_file("/proc/self/cmdline") == file.read()


def test_a_file_that_changes_is_read_as_it_was_at_some_moment(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a")
    over = threading.Event()

    def grow() -> None:
        with open(path, "ab", buffering=0) as file:
            while not over.is_set():
                file.write(b"a")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(200):
            before = path.stat().st_size
            assert before <= len(read_file(str(path))) <= path.stat().st_size
    finally:
        over.set()
        writer.join()


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (str(tmp_path), str(tmp_path / "absent"), str(tmp_path / "fifo"), os.devnull):
        with pytest.raises(OSError) as whole:
            read_file(path)
        assert whole.value.filename == path
        with (
            pytest.raises(type(whole.value), match=whole.value.strerror),
            open(path, opener=only_files),
        ):
            pass


def test_a_directory_is_told_from_other_things(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_file(str(tmp_path))


def test_a_link_is_not_followed_if_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a")
    (tmp_path / "link").symlink_to("f")
    assert read_file(str(tmp_path / "link")) == b"a"
    with pytest.raises(OSError, match="symbolic links"):
        read_file(str(tmp_path / "link"), flags=os.O_NOFOLLOW)


def test_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a")
    before = os.listdir("/proc/self/fd")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "f"):
        for read in (read_file, lambda path: open(path, opener=only_files).close()):
            try:
                read(str(path))
            except OSError:
                continue
    assert os.listdir("/proc/self/fd") == before
