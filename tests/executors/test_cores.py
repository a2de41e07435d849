"""Our threads share one CPU; what they start, and what computes a lot, has all of them."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from exprun.cores import on_all, on_one
from exprun.git.command import run_git
from exprun.store.hashing import LARGE, hash_files

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def cpus() -> set[int]:
    return os.sched_getaffinity(0)


def in_a_thread() -> set[int]:
    seen: list[set[int]] = []
    thread = threading.Thread(target=lambda: seen.append(cpus()))
    thread.start()
    thread.join()
    return seen[0]


def test_threads_share_one_cpu_and_get_all_of_them_back() -> None:
    given = cpus()
    with on_one():
        assert len(cpus()) == 1
        assert cpus() <= given
        assert in_a_thread() == cpus()
        with on_all():
            assert cpus() == given
            assert in_a_thread() == given
            with on_all():
                pass
            assert cpus() == given, "it leaves the thread as it was"
        assert len(cpus()) == 1
    assert cpus() == given
    with on_all():
        assert cpus() == given


def test_where_the_system_does_not_allow_it_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(pid: int, mask: set[int]) -> None:
        raise PermissionError

    given = cpus()
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with on_one(), on_all():
        assert cpus() == given
    monkeypatch.delattr(os, "sched_setaffinity")
    with on_one(), on_all():
        pass


def test_git_has_every_cpu(tmp_path: Path) -> None:
    with on_one():
        said = run_git(str(tmp_path), os.environ, ["-c", "alias.cpus=!nproc", "cpus"])
    assert int(said) == len(cpus())


def test_large_files_are_hashed_on_every_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_bytes(b"x" * (LARGE if path.name < "c" else 1))
    seen: list[set[int]] = []
    readv = os.readv

    def watch(fd: int, buffers: list[memoryview]) -> int:
        seen.append(cpus())
        return readv(fd, buffers)

    monkeypatch.setattr(os, "readv", watch)
    names, sizes = [str(path) for path in paths], [path.stat().st_size for path in paths]
    given = cpus()
    with on_one():
        hash_files(names[:1], sizes[:1])
        hash_files(names, sizes, jobs=2)
        assert all(found == given for found in seen)
        assert len(seen) > 6
        assert len(cpus()) == 1
