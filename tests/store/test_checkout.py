"""Checking out makes a path hold the content, touches nothing else, and never leaves the root."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from exprun.errors import StoreError
from exprun.model.lock import Content, Oid
from exprun.store import MissingObjects, links
from exprun.store.hashing import hash_bytes
from exprun.store.links import Linker, parse_link_types

from .oracle import Dvc, picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import HashCount, Sandbox

FILES = {"a": "1", "b": "2", "sub/c": "3", "sub/deep/d": "", "same": "1"}


def missing(data: Path) -> None:
    pass


def edited(data: Path) -> None:
    data.mkdir()
    (data / "a").write_text("9")
    (data / "b").write_text("2")


def a_file(data: Path) -> None:
    data.write_text("a file")


def files_for_directories(data: Path) -> None:
    (data / "a").mkdir(parents=True)
    (data / "a" / "x").write_text("x")
    (data / "sub").write_text("a file")


def extras(data: Path) -> None:
    (data / "more" / "and").mkdir(parents=True)
    (data / "more" / "and" / "more").write_text("x")
    (data / "empty").mkdir()
    (data / "z").symlink_to("a")
    (data / "a").write_text("1")


def links_out(data: Path) -> None:
    outside = data.parent.parent / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "c").write_text("precious")
    data.mkdir()
    (data / "sub").symlink_to(outside)
    (data / "a").symlink_to(outside / "c")
    (data / "b").symlink_to("nowhere")


def a_link_out(data: Path) -> None:
    outside = data.parent.parent / "outside"
    outside.mkdir()
    (outside / "a").write_text("precious")
    data.symlink_to(outside)


def read_only(data: Path) -> None:
    (data / "sub").mkdir(parents=True)
    (data / "sub" / "c").write_text("9")
    (data / "sub" / "c").chmod(0o444)
    os.mkfifo(data / "pipe")


STATES = [missing, edited, a_file, files_for_directories, extras, links_out, a_link_out, read_only]
TYPES = [("copy",), ("hardlink", "copy"), ("symlink",)]


@pytest.mark.parametrize("types", TYPES, ids=["-".join(t) for t in TYPES])
@pytest.mark.parametrize("state", STATES)
def test_from_any_state(
    box: Sandbox, state: Callable[[Path], None], types: tuple[str, ...]
) -> None:
    store = box.store(link_types=types)
    content = store.collect(str(box.write(FILES, "data")), root=box.root)
    data = box.ws / "data"
    store.remove_output(str(data), root=box.root)
    state(data)
    outside = box.base / "outside"
    before = picture(outside)
    assert store.checkout(content, str(data), root=box.root)
    assert picture(outside) == before
    found = {k: v for k, v in picture(data).items() if v[0] != "directory"}

    assert not data.is_symlink()
    assert sorted(found) == sorted(FILES)
    for relpath, text in FILES.items():
        assert (data / relpath).read_text() == text
    if types == ("copy",):
        # The same as DVC from scratch, modes included.
        Dvc(str(box.cache), types).checkout(content.oid, str(box.ws / "theirs"))
        expected = picture(box.ws / "theirs")
        touched = {"a"} if state is extras else {"b"} if state is edited else set()
        assert {k: v for k, v in picture(data).items() if k not in touched | {"empty"}} == {
            k: v for k, v in expected.items() if k not in touched
        }
    assert not store.checkout(content, str(data), root=box.root)
    assert box.store().content(str(data)) == content


@pytest.mark.parametrize("state", STATES)
def test_a_single_file_from_any_state(box: Sandbox, state: Callable[[Path], None]) -> None:
    store = box.store()
    path = box.write({"data": "text"}) / "data"
    path.chmod(0o755)
    content = store.collect(str(path), root=box.root)
    assert content.isexec
    path.unlink()
    state(path)
    before = picture(box.base / "outside")
    assert store.checkout(content, str(path), root=box.root)
    assert path.read_text() == "text"
    assert path.stat().st_mode & 0o777 == (0o666 & ~store._modes.umask) | 0o100
    assert picture(box.base / "outside") == before


def test_only_what_differs_is_touched(box: Sandbox) -> None:
    store = box.store()
    data = box.write(FILES, "data")
    content = store.collect(str(data), root=box.root)
    before = {relpath: (data / relpath).stat().st_ino for relpath in FILES}
    (data / "a").unlink()
    (data / "extra").write_text("x")
    assert store.checkout(content, str(data), root=box.root)
    after = {relpath: (data / relpath).stat().st_ino for relpath in FILES}
    assert {relpath for relpath in FILES if before[relpath] != after[relpath]} <= {"a"}
    assert not (data / "extra").exists()


def test_ignored_files_stay(box: Sandbox) -> None:
    from .test_collect import Only

    store = box.store(ignore=Only("keep"))
    data = box.write({**FILES, "keep": "mine", "sub/keep": "mine"}, "data")
    content = store.collect(str(data), root=box.root)
    (data / "a").write_text("9")
    (data / "sub" / "x").write_text("x")
    assert store.checkout(content, str(data), root=box.root)
    assert (data / "sub" / "keep").read_text() == "mine"
    assert not (data / "sub" / "x").exists()


@pytest.mark.parametrize("lost", ["a", "manifest"])
@pytest.mark.parametrize("damaged", [False, True])
def test_nothing_is_touched_if_something_is_missing(box: Sandbox, lost: str, damaged: bool) -> None:
    store = box.store()
    data = box.write(FILES, "data")
    content = store.collect(str(data), root=box.root)
    (data / "a").write_text("9")
    (data / "extra").write_text("x")
    before = picture(data)
    oid = hash_bytes(b"1") if lost == "a" else content.oid
    path = box.cache / "files" / "md5" / oid[:2] / oid[2:]
    if damaged:
        path.chmod(0o644)
        path.write_text("evil")
        path.chmod(0o444)
    else:
        path.unlink()
    store = box.store()
    assert store.missing(content, verify=True) == (oid,)
    with pytest.raises(MissingObjects) as caught:
        store.checkout(content, str(data), root=box.root)
    assert caught.value.oids == (oid,)
    assert "dvc fetch" in str(caught.value.hint)
    assert picture(data) == before


@pytest.mark.parametrize("damaged", [False, True])
def test_links_to_what_is_not_sound_are_taken_back(box: Sandbox, damaged: bool) -> None:
    store = box.store(link_types=("hardlink",))
    data = box.write({"a": "1", "sub/b": "2"}, "data")
    for name in ("a", "sub/b"):
        os.utime(data / name, (1, 1))  # A file of this very moment is not recorded.
    content = store.collect(str(data), root=box.root)
    seen: list[Content] = []
    assert store.checkout(content, str(box.ws / "known"), root=box.root, seen=seen.append)
    assert store.checkout(content, str(box.ws / "again"), root=box.root, seen=seen.append)
    assert seen and all(known == store.content(str(box.ws / "again")) for known in seen)
    oid = hash_bytes(b"2")
    path = box.cache / "files" / "md5" / oid[:2] / oid[2:]
    if damaged:
        path.chmod(0o644)
        path.write_text("evil")
        path.chmod(0o444)
    else:
        path.unlink()
    with pytest.raises(MissingObjects) as caught:
        store.checkout(content, str(box.ws / "other"), root=box.root)
    assert caught.value.oids == (oid,)
    assert not (box.ws / "other").exists()


def test_content_already_there_needs_no_objects(box: Sandbox) -> None:
    store = box.store()
    path = box.write({"file": "text"}) / "file"
    content = Content(oid=Oid(hash_bytes(b"text")), size=4)
    assert not store.checkout(content, str(path), root=box.root)


def test_manifests_cannot_write_elsewhere(box: Sandbox) -> None:
    store = box.store()
    store.collect(str(box.write({"x": "evil"}) / "x"), root=box.root)
    for relpath in ("../escaped", "/tmp/exprun-escaped", ".git/hooks/pre-commit"):
        data = json.dumps([{"md5": hash_bytes(b"evil"), "relpath": relpath}]).encode()
        oid = Oid(hash_bytes(data) + ".dir")
        path = box.cache / "files" / "md5" / oid[:2]
        path.mkdir(exist_ok=True)
        (path / oid[2:]).write_bytes(data)
        (path / oid[2:]).chmod(0o444)
        with pytest.raises(StoreError, match="outside its directory"):
            store.checkout(Content(oid=oid), str(box.ws / "data"), root=box.root)
    assert sorted(os.listdir(box.ws)) == ["x"]
    for bad in ("../../../etc/passwd", "0" * 31, "0" * 32 + ".dir\n"):
        with pytest.raises(StoreError, match="not the name of an object"):
            store.checkout(Content(oid=Oid(bad)), str(box.ws / "data"), root=box.root)


@pytest.mark.parametrize("path", ["../x", ".", ".git/hooks", "sub/.GIT/x", ".dvc", "out/x", ".git"])
def test_places_that_are_refused(box: Sandbox, path: str) -> None:
    store = box.store()
    content = store.collect(str(box.write({"file": "text"}) / "file"), root=box.root)
    (box.base / "elsewhere").mkdir()
    (box.base / "elsewhere" / "x").write_text("precious")
    (box.ws / "out").symlink_to(box.base / "elsewhere")
    for name in (".git", "sub/.GIT", ".dvc"):
        (box.ws / name).mkdir(parents=True)
    before = picture(box.base)
    place = str(box.ws / path)
    for attempt in (
        lambda: store.checkout(content, place, root=box.root),
        lambda: store.remove_output(place, root=box.root),
        lambda: store.unprotect(place, root=box.root),
        lambda: store.collect(place, root=box.root),
    ):
        with pytest.raises(StoreError, match="refusing"):
            attempt()
    assert picture(box.base) == before


def test_a_refused_link_type_falls_back(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, hashed: HashCount
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    store = box.store(link_types=("hardlink", "copy"))
    content = store.collect(str(box.write(FILES, "data")), root=box.root)
    monkeypatch.setattr(os, "link", refuse)
    assert store.checkout(content, str(box.ws / "again"), root=box.root)
    assert (box.ws / "again" / "a").stat().st_nlink == 1
    only = box.store(link_types=("hardlink",))
    with pytest.raises(StoreError, match="none of the link types hardlink works") as caught:
        only.checkout(content, str(box.ws / "third"), root=box.root)
    assert "copy" in str(caught.value.hint)


def test_too_many_links_to_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(31, "Too many links")

    (tmp_path / "o").write_text("x")
    found = os.stat(tmp_path / "o")
    linker = Linker(("hardlink", "copy"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        used = linker.link(str(tmp_path / "o"), found, str(tmp_path / "t"), found.st_dev)
    assert used == "copy"
    used = linker.link(str(tmp_path / "o"), found, str(tmp_path / "u"), found.st_dev)
    assert used == "hardlink"


@pytest.mark.parametrize("code", [18, 38, 22, 0])
def test_copying_where_the_kernel_will_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "source").write_bytes(data)
    real = os.copy_file_range
    calls = []

    def partly(reader: int, writer: int, count: int) -> int:
        calls.append(count)
        if len(calls) == 1:
            return real(reader, writer, 1000)
        if code:
            raise OSError(code, "no")
        return 0

    monkeypatch.setattr(os, "copy_file_range", partly)
    links.copy_file(str(tmp_path / "source"), str(tmp_path / "target"))
    assert (tmp_path / "target").read_bytes() == data


def test_link_types_of_the_configuration() -> None:
    assert parse_link_types(["hardlink", " copy "]) == ("hardlink", "copy")
    assert parse_link_types([]) == ("reflink", "copy")
    with pytest.raises(Exception, match="unknown link type 'teleport'"):
        parse_link_types(["teleport"])


@pytest.mark.parametrize("name", ["data", "single"])
def test_what_is_there_stays_where_no_link_works(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(1, "Operation not permitted")

    box.write({"data/a": "1", "data/b": "2", "single": "3"})
    wanted = box.store().collect(str(box.ws / name), root=box.root)
    box.write({"data/a": "old", "data/c": "old", "single": "old"})
    before = picture(box.ws)
    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.raises(StoreError, match="none of the link types symlink works"):
        box.store(link_types=("symlink",)).checkout(wanted, str(box.ws / name), root=box.root)
    assert picture(box.ws) == before
