"""Unchanged data is hashed once, changed data always."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from exprun.store import Store, StoreConfig, clock, database, statcache
from exprun.store.database import NAME as DATABASE
from exprun.store.database import Database
from exprun.store.hashing import hash_bytes
from exprun.store.statcache import StatCache

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .conftest import HashCount, Sandbox

pytestmark = pytest.mark.usefixtures("eager")

FILES = {"a": "1", "sub/b": "22", "sub/deep/c": "333", "empty": ""}


def test_a_file_is_hashed_once(box: Sandbox, hashed: HashCount) -> None:
    path = box.write({"file": "text"}) / "file"
    first = box.store().content(str(path))
    assert first is not None
    assert (first.oid, first.size) == (hash_bytes(b"text"), 4)
    again = box.store().content(str(path))
    assert again == first
    assert len(hashed.paths) == 1


def test_a_directory_is_hashed_once(box: Sandbox, hashed: HashCount) -> None:
    data = str(box.write(FILES, "data"))
    first = box.store().content(data)
    assert first is not None
    assert (first.size, first.nfiles) == (6, 4)
    assert box.store().content(data) == first
    assert len(hashed.paths) == 4


def test_a_new_file_in_a_directory_costs_only_itself(box: Sandbox, hashed: HashCount) -> None:
    data = box.write(FILES, "data")
    store = box.store()
    before = store.content(str(data))
    hashed.paths.clear()
    (data / "new").write_text("new")
    assert store.content(str(data)) != before
    assert hashed.paths == [str(data / "new")]


@pytest.mark.parametrize("types", [("copy",), ("hardlink",), ("symlink",)])
def test_a_checkout_elsewhere_is_not_hashed(
    box: Sandbox, hashed: HashCount, types: tuple[str, ...]
) -> None:
    data = str(box.write(FILES, "data"))
    store = box.store(link_types=types)
    content = store.collect(data, root=box.root)
    hashed.paths.clear()
    other = box.base / "other"
    other.mkdir()
    box.store(link_types=types).checkout(content, str(other / "data"), root=str(other))
    assert box.store().content(str(other / "data")) == content
    assert box.store().content(data) == content
    assert hashed.paths == []


def test_dropping_a_workspace_keeps_the_records_of_linked_objects(
    box: Sandbox, hashed: HashCount
) -> None:
    data = box.write(FILES, "data")
    store = box.store(link_types=("hardlink",))
    content = store.collect(str(data), root=box.root)
    shutil.rmtree(data)
    hashed.paths.clear()
    assert store.has(content, verify=True)
    assert store.checkout(content, str(data), root=box.root)
    assert [path for path in hashed.paths if not path.endswith("empty")] == []


def test_a_change_of_the_same_size_is_seen(box: Sandbox) -> None:
    data = box.write(FILES, "data")
    store = box.store()
    before = store.content(str(data))
    (data / "a").write_text("2")
    assert store.content(str(data)) != before


def test_a_change_within_the_same_tick_is_seen(box: Sandbox) -> None:
    path = box.ws / "file"
    store = box.store()
    for number in range(300):
        path.write_text(f"{number:05}")
        content = store.content(str(path))
        assert content is not None
        assert content.oid == hash_bytes(f"{number:05}".encode())


@pytest.mark.parametrize("plain", [False, True])
def test_a_change_right_after_collecting_is_seen(box: Sandbox, plain: bool) -> None:
    path = box.ws / "file"
    store = box.store()
    for number in range(100):
        path.write_text(f"{number:05}")
        collected = store.collect(str(path), root=box.root, plain=plain)
        assert collected.oid == hash_bytes(f"{number:05}".encode())
        path.write_text(f"{number + 1:05}")
        content = store.content(str(path))
        assert content is not None
        assert content.oid == hash_bytes(f"{number + 1:05}".encode())


def test_young_files_are_not_recorded_unless_it_is_worth_waiting(
    box: Sandbox, hashed: HashCount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "WORTH_WAITING", 1 << 40)
    monkeypatch.setattr(clock, "file_clock", lambda: 0)
    path = str(box.write({"file": "text"}) / "file")
    store = box.store()
    store.content(path)
    store.content(path)
    assert len(hashed.paths) == 2


def test_another_file_with_the_old_times_is_not_taken_for_the_old_one(box: Sandbox) -> None:
    data = box.write({"a": "111"}, "data")
    os.utime(data / "a", ns=(0, 0))
    store = box.store()
    before = store.content(str(data))
    # In place, so even the inode number is the old one.
    (data / "a").write_text("222")
    os.utime(data / "a", ns=(0, 0))
    assert store.content(str(data)) != before


def test_isexec_is_not_remembered_but_read(box: Sandbox) -> None:
    path = box.write({"file": "text"}) / "file"
    store = box.store()
    assert store.content(str(path)) is not None
    path.chmod(0o654)
    content = store.content(str(path))
    assert content is not None
    assert content.isexec


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b""])
def test_a_damaged_database_is_made_anew(box: Sandbox, hashed: HashCount, damage: bytes) -> None:
    path = str(box.write({"file": "text"}) / "file")
    (box.base / "records").mkdir()
    (box.base / "records" / DATABASE).write_bytes(damage)
    expected = box.store().content(path)
    store = box.store()
    assert store.content(path) == expected
    assert store.content(path) == expected
    assert len(hashed.paths) <= 2


def test_a_database_damaged_in_the_middle_costs_only_time(box: Sandbox) -> None:
    data = str(box.write({str(n): str(n) for n in range(400)}, "data"))
    store = box.store()
    expected = store.content(data)
    store.close()
    database = box.base / "records" / DATABASE
    raw = bytearray(database.read_bytes())
    raw[4096:] = b"\xa5" * (len(raw) - 4096)
    database.write_bytes(raw)
    assert box.store().content(data) == expected


def test_without_a_place_for_records_all_works(box: Sandbox) -> None:
    path = str(box.write({"file": "text"}) / "file")
    (box.base / "blocked").write_text("a file where the directory should be")
    for records in (None, str(box.base / "blocked" / "records"), "/proc/none"):
        store = box.store(records=records)
        assert store.content(path) is not None
        store.collect(path, root=box.root)


def test_threads_share_a_store(box: Sandbox) -> None:
    expected = {}
    for number in range(8):
        box.write({f"f{n}": f"{number}-{n}" for n in range(20)}, f"data{number}")
    reference = box.store(records=None)
    expected = {n: reference.content(str(box.ws / f"data{n}")) for n in range(8)}
    store = box.store()
    found = {}

    def work(number: int) -> None:
        path = str(box.ws / f"data{number % 8}")
        found[number] = store.collect(path, root=box.root)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: expected[n % 8] for n in range(16)}


def test_processes_share_the_records(box: Sandbox) -> None:
    data = str(box.write({str(n): str(n) for n in range(50)}, "data"))
    script = (
        "import sys; from exprun.store import Store, StoreConfig\n"
        "for _ in range(20):\n"
        "    with Store(StoreConfig(cache_dir=sys.argv[1], records=sys.argv[2])) as store:\n"
        "        content = store.content(sys.argv[3])\n"
        "print(content.oid)"
    )
    argv = [sys.executable, "-c", script, str(box.cache), str(box.base / "records"), data]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    oids = {process.communicate(timeout=60)[0].strip() for process in running}
    content = box.store().content(data)
    assert content is not None
    assert oids == {content.oid}


def test_the_database_is_bounded(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    data = str(box.write({str(n): str(n) for n in range(300)}, "data"))
    store = box.store()
    expected = store.content(data)
    monkeypatch.setattr(statcache, "MAX_BYTES", 20_000)
    store.close()
    cache = statcache.StatCache(str(box.base / "records"))
    assert cache.files([os.stat(os.path.join(data, "1"))]) == [None]
    cache.close()
    assert store.content(data) == expected


def test_records_are_written_together_when_the_store_is_closed(
    box: Sandbox, hashed: HashCount, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    write = Database.write

    def note(self: Database, batches: Mapping[str, Sequence[Sequence[object]]]) -> None:
        written.append(batches)
        write(self, batches)

    monkeypatch.setattr(Database, "write", note)
    box.write(FILES)
    store = box.store()
    for name in FILES:
        store.collect(str(box.ws / name), root=box.root)
        store.content(str(box.ws / name))
    assert written == []
    store.close()
    assert len(written) == 1
    hashed.paths.clear()
    for name in FILES:
        box.store().content(str(box.ws / name))
    assert hashed.paths == []


@pytest.mark.parametrize(("limit", "value"), [("_WORTH_WRITING", 1), ("_LATEST_S", -1.0)])
def test_what_is_costly_or_old_is_written_before_the_end(
    box: Sandbox,
    hashed: HashCount,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: float,
) -> None:
    monkeypatch.setattr(statcache, limit, value)
    path = str(box.write({"file": "text"}) / "file")
    box.store().content(path)
    hashed.paths.clear()
    config = StoreConfig(cache_dir=str(box.cache), records=str(box.base / "records"))
    with Store(config) as other:
        other.content(path)
    assert hashed.paths == []


def test_who_never_closes_a_store_leaves_its_records(box: Sandbox, hashed: HashCount) -> None:
    path = str(box.write({"file": "text" * 500_000}) / "file")
    script = (
        "import sys; from exprun.store import Store, StoreConfig\n"
        "Store(StoreConfig(cache_dir=sys.argv[1], records=sys.argv[2])).content(sys.argv[3])"
    )
    argv = [sys.executable, "-c", script, str(box.cache), str(box.base / "records"), path]
    subprocess.run(argv, check=True, timeout=60)
    box.store().content(path)
    assert hashed.paths == []


def test_a_locked_database_costs_only_time(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, hashed: HashCount
) -> None:
    monkeypatch.setattr(database, "_BUSY_S", 0.0)
    path = str(box.write({"file": "text"}) / "file")
    expected = box.store(records=None).content(path)
    box.store().close()
    with closing(StatCache(str(box.base / "records"))) as records:
        records.directory("so that there is a database")
    other = sqlite3.connect(box.base / "records" / database.NAME, isolation_level=None)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        store = box.store()
        hashed.paths.clear()
        assert store.content(path) == expected
        assert store.content(path) == expected
        assert len(hashed.paths) == 1
        store.close()
        other.execute("ROLLBACK")
    assert box.store().content(path) == expected


def test_what_is_created_in_a_workspace_beside_the_users_is_not_remembered(box: Sandbox) -> None:
    path = str(box.write({"file": "text"}) / "file")
    store = box.store()
    content = store.collect(path, root=box.root)
    beside = Store(store.config, neighbour=store)
    aside = box.base / "aside"
    aside.mkdir()
    assert beside.checkout(content, str(aside / "file"), root=str(aside))
    assert beside.remove_unused_outputs(str(aside), []) == []
    assert box.store().remove_unused_outputs(str(aside), []) == []
    assert box.store().remove_unused_outputs(box.root, []) == [path]


def test_the_database_is_private(box: Sandbox) -> None:
    with box.store() as store:
        store.content(str(box.write({"file": "text"}) / "file"))
    assert (box.base / "records" / DATABASE).stat().st_mode & 0o777 == 0o600


def test_records_of_huge_inode_numbers(tmp_path: Path) -> None:
    cache = statcache.StatCache(str(tmp_path))
    (tmp_path / "x").write_text("x")
    fields = list(os.stat(tmp_path / "x"))
    fields[1:3] = [(1 << 64) - 1, (1 << 63) + 5]
    found = os.stat_result(fields)
    cache.record_files([(found, "0" * 32)])  # type: ignore[list-item]
    (record,) = cache.files([found])
    cache.close()
    assert record is not None
    assert record.oid == "0" * 32
