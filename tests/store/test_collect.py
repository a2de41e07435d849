"""Collecting leaves the cache and the workspace as `dvc commit` does."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from exprun.errors import StoreError
from exprun.store import MissingObjects, links
from exprun.store.hashing import LARGE

from .oracle import Dvc, picture

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Sandbox

TYPES = [
    ("reflink", "copy"),
    ("copy",),
    ("copy", "hardlink"),
    ("hardlink", "copy"),
    ("hardlink",),
    ("symlink", "copy"),
    ("symlink",),
]


def make_outputs(ws: Path) -> None:
    (ws / "data" / "sub" / "deep").mkdir(parents=True)
    for relpath, text in {"a": "1", "a-b": "22", "sub/c": "", "sub/deep/é x": "333"}.items():
        (ws / "data" / relpath).write_text(text)
    (ws / "data" / "big").write_bytes(b"b" * (LARGE + 5))
    (ws / "data" / "a").chmod(0o755)
    (ws / "data" / "sub" / "private").write_text("p")
    (ws / "data" / "sub" / "private").chmod(0o600)
    (ws / "target").write_text("linked")
    (ws / "data" / "link").symlink_to(ws / "target")
    (ws / "other").mkdir()
    (ws / "other" / "inside").write_text("not part of it")
    (ws / "data" / "linked-directory").symlink_to(ws / "other")
    os.link(ws / "target", ws / "data" / "hard")
    (ws / "script").write_text("#!/bin/sh\n")
    (ws / "script").chmod(0o755)
    (ws / "empty").write_text("")
    (ws / "large").write_bytes(b"L" * (LARGE + 1))
    (ws / "large").chmod(0o600)


def translated(base: Path) -> dict[str, tuple[str, int, str]]:
    return {
        name: (kind, mode, text.replace(str(base), "")) for name, (kind, mode, text) in
        picture(base).items()
    }  # fmt: skip


@pytest.mark.parametrize("types", TYPES, ids=["-".join(t) for t in TYPES])
@pytest.mark.parametrize("shared", [False, True])
def test_as_dvc_commit(box: Sandbox, types: tuple[str, ...], shared: bool) -> None:
    theirs = box.base / "theirs"
    ours = box.base / "ours"
    for base in (theirs, ours):
        make_outputs(base / "ws")
    dvc = Dvc(str(theirs / "cache"), types, "group" if shared else None)
    oids = [
        dvc.commit(str(theirs / "ws" / name), isexec=name == "script")
        for name in ("data", "script", "empty", "large")
    ]
    sandbox = type(box)(ours)
    with sandbox.store(link_types=types, shared=shared) as store:
        contents = [
            store.collect(str(ours / "ws" / name), root=sandbox.root)
            for name in ("data", "script", "empty", "large")
        ]
    assert [content.oid for content in contents] == oids
    expected = translated(theirs)
    found = {k: v for k, v in translated(ours).items() if not k.startswith("records")}
    assert found == expected


@pytest.mark.parametrize("legacy", [False, True])
def test_legacy_objects_keep_their_bytes(box: Sandbox, legacy: bool) -> None:
    data = box.write({"crlf": "a\r\nb", "sub/x": "\r\n"}, "data")
    expected = Dvc(str(box.base / "theirs"), legacy=legacy).commit(str(data))
    store = box.store()
    content = store.collect(str(data), root=box.root, legacy=legacy)
    assert content.oid == expected
    assert content.legacy is legacy
    ours, theirs = picture(box.cache), picture(box.base / "theirs")
    assert ours == theirs
    assert store.has(content, verify=True)
    store.remove_output(str(data), root=box.root)
    store.checkout(content, str(data), root=box.root)
    assert (data / "crlf").read_bytes() == b"a\r\nb"


def test_plain_replaces_links_for_payload(box: Sandbox) -> None:
    metrics = box.write({"m.json": "{}"}) / "m.json"
    store = box.store(link_types=("symlink",))
    content = store.collect(str(metrics), root=box.root)
    assert metrics.is_symlink()
    assert store.collect(str(metrics), root=box.root, plain=True) == content
    assert not metrics.is_symlink()
    assert metrics.stat().st_mode & 0o777 == 0o666 & ~store._modes.umask


class Only:
    """Ignore rules that leave out what is called `name`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def filter(
        self, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> tuple[list[str], list[str]]:
        return [d for d in dirnames if d != self.name], [f for f in filenames if f != self.name]


@pytest.mark.parametrize("name", ["data", "single"])
def test_what_was_made_stays_where_no_link_works(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(1, "Operation not permitted")

    box.write({"data/a": "1", "data/b": "2", "single": "3"})
    before = picture(box.ws)
    monkeypatch.setattr(os, "symlink", refuse)
    store = box.store(link_types=("symlink",))
    with pytest.raises(StoreError, match="none of the link types symlink works"):
        store.collect(str(box.ws / name), root=box.root)
    assert picture(box.ws) == before


def test_ignored_files_are_left_out(box: Sandbox) -> None:
    data = box.write({"a": "1", "skip": "2", "sub/skip": "3", "sub/skip2": "4"}, "data")
    rules = Only("skip")
    oid, size, nfiles = Dvc(str(box.cache)).hash(str(data), rules)
    content = box.store(ignore=rules).content(str(data))
    assert content is not None
    assert (content.oid, content.size, content.nfiles) == (oid, size, nfiles)
    assert nfiles == 2


def test_what_cannot_be_collected(box: Sandbox) -> None:
    store = box.store()
    with pytest.raises(StoreError, match=r"no such file"):
        store.collect(str(box.ws / "nothing"), root=box.root)
    data = box.write({"sub/.dvcignore": "x"}, "data")
    with pytest.raises(StoreError, match=r"\.dvcignore cannot be inside data"):
        store.collect(str(data), root=box.root)
    (data / "sub" / ".dvcignore").unlink()
    (data / "broken").symlink_to("nowhere")
    with pytest.raises(StoreError, match="broken symlink") as caught:
        store.collect(str(data), root=box.root)
    assert caught.value.where == str(data / "broken")
    (data / "broken").unlink()
    (data / "sub" / "circle").symlink_to("circle")
    with pytest.raises(StoreError, match="too many levels") as caught:
        store.collect(str(data), root=box.root)
    assert caught.value.where == str(data / "sub" / "circle")
    (data / "sub" / "circle").unlink()
    os.mkfifo(data / "pipe")
    with pytest.raises(StoreError, match="a pipe"):
        store.content(str(data))
    assert store.content(str(box.ws / "nothing")) is None


def test_what_no_manifest_may_name_cannot_be_collected(box: Sandbox) -> None:
    data = box.write({"data/a": "1", "data/.GIT/x": "2"})
    with pytest.raises(StoreError, match=r"in \.git"):
        box.store().collect(str(data / "data"), root=box.root)


def test_an_existing_damaged_object_is_replaced(box: Sandbox) -> None:
    store = box.store()
    path = box.write({"file": "text"}) / "file"
    content = store.collect(str(path), root=box.root)
    damaged = store.object_path(content)
    os.chmod(damaged, 0o644)
    with open(damaged, "w") as file:
        file.write("evil")
    os.chmod(damaged, 0o444)
    assert box.store().has(content)
    assert box.store().collect(str(path), root=box.root) == content
    with open(damaged) as file:
        assert file.read() == "text"
    assert "damaged" in box.warnings[0]
    assert (box.cache / "corrupt" / content.oid).read_text() == "evil"


def test_writing_through_a_link_is_found(box: Sandbox) -> None:
    store = box.store(link_types=("hardlink",))
    path = box.write({"file": "text"}) / "file"
    content = store.collect(str(path), root=box.root)
    path.chmod(0o644)
    path.write_text("evil")
    assert not store.has(content, verify=True)
    assert content.oid not in box.objects()
    with pytest.raises(MissingObjects) as caught:
        store.checkout(content, str(path), root=box.root)
    assert caught.value.oids == (content.oid,)
    assert path.read_text() == "evil"


def test_a_writable_object_is_read_though_its_mtime_is_as_it_was(box: Sandbox) -> None:
    path = box.write({"file": "text"}) / "file"
    os.utime(path, (1, 1))
    content = box.store(link_types=("hardlink",)).collect(str(path), root=box.root)
    path.chmod(0o644)
    path.write_text("evil")
    os.utime(path, (1, 1))
    assert not box.store().has(content)
    assert content.oid not in box.objects()


def test_who_looks_for_damage_only_leaves_an_executable_as_it_is(box: Sandbox) -> None:
    path = box.write({"tool": "text"}) / "tool"
    path.chmod(0o755)
    store = box.store(link_types=("symlink",))
    content = store.collect(str(path), root=box.root)
    assert not store.damaged(content)
    assert path.stat().st_mode & 0o777 == 0o544


@pytest.mark.parametrize("mode", [0o644, 0o544])
def test_an_object_of_another_mode_is_checked_as_dvc_does(box: Sandbox, mode: int) -> None:
    store = box.store(records=None)
    content = store.collect(str(box.write({"file": "text"}) / "file"), root=box.root)
    path = store.object_path(content)
    os.chmod(path, mode)
    assert store.has(content)
    assert os.stat(path).st_mode & 0o777 == 0o444
    os.chmod(path, 0o644)
    with open(path, "w") as file:
        file.write("evil")
    assert not store.has(content)
    assert not os.path.exists(path)


def test_a_file_changing_while_it_is_collected(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = box.ws / "large"
    path.write_bytes(b"L" * LARGE)
    copy = links.copy_file

    def disturbed(source: str, target: str, mode: int = 0o666) -> None:
        copy(source, target, mode)
        path.write_bytes(b"M" * LARGE)

    monkeypatch.setattr(links, "copy_file", disturbed)
    with pytest.raises(StoreError, match="changed while it was collected"):
        box.store().collect(str(path), root=box.root)
    assert box.objects() == set()


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs, cleaning up included."""


@pytest.mark.parametrize("call", ["write", "chmod", "rename", "open", "copy_file_range"])
def test_a_crash_leaves_no_bad_object(
    box: Sandbox, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = box.write({str(n): "x" * n for n in range(5)}, "data")
    (data / "big").write_bytes(b"b" * LARGE)
    original, unlink = getattr(os, call), os.unlink
    for nth in range(1, 40):
        state = {"calls": 0, "dead": False}

        def dying(*args: object, _state: dict[str, int] = state, _nth: int = nth) -> object:
            _state["calls"] += 1
            if _state["calls"] == _nth:
                _state["dead"] = True
                raise Killed
            return original(*args)

        def cleaning(path: str, _state: dict[str, int] = state) -> None:
            if not _state["dead"]:
                unlink(path)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, dying)
            patch.setattr(os, "unlink", cleaning)
            with suppress(Killed):
                box.store(records=None).collect(str(data), root=box.root)
        store = box.store(records=None)
        for name in box.objects():
            if not name.endswith(".tmp"):
                assert store._current.objects.is_sound(name), name  # type: ignore[arg-type]
        assert box.warnings == []
        if not state["dead"]:
            break
    assert nth > 1
    content = box.store().collect(str(data), root=box.root)
    assert box.store().has(content, verify=True)


def test_sync_reaches_every_object(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    store = box.store()
    content = store.collect(str(box.write({"a": "1", "b": "2"}, "data")), root=box.root)
    synced = set()
    monkeypatch.setattr(os, "fsync", lambda fd: synced.add(os.readlink(f"/proc/self/fd/{fd}")))
    store.sync([content])
    expected = {f"{box.cache}/files/md5/{oid[:2]}/{oid[2:]}" for oid in box.objects()}
    assert expected <= synced
    directories = {os.path.dirname(path) for path in expected}
    assert directories <= synced or sys.platform == "linux"
    many = store.collect(str(box.write({str(n): str(n) for n in range(40)}, "m")), root=box.root)
    store.sync([many])
