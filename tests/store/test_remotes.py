"""Remotes have DVC's layout, and what comes from them is verified."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import fsspec
import pytest

from exprun.errors import StoreError
from exprun.store import NoSpace, RemoteConfig, protocols
from exprun.store.remotes import open_remote
from exprun.store.transfer import pull_runs

from .oracle import Dvc, picture
from .test_runcache import KEY, VALUES

if TYPE_CHECKING:
    from exprun.model.lock import Content
    from exprun.store import Store

    from .conftest import Sandbox

FILES = {"a": "1", "sub/b": "2", "sub/c": "1"}


@pytest.fixture(params=["directory", "memory"])
def remote(request: pytest.FixtureRequest, box: Sandbox) -> RemoteConfig:
    if request.param == "directory":
        return RemoteConfig(name="r", url=str(box.base / "remote"), options={"jobs": 3})
    return RemoteConfig(name="r", url=f"memory://{box.base}/remote")


def filled(box: Sandbox) -> tuple[Store, list[Content]]:
    store = box.store()
    data = store.collect(str(box.write(FILES, "data")), root=box.root)
    file = store.collect(str(box.write({"f": "file"}) / "f"), root=box.root)
    old = store.collect(str(box.write({"x": "l\r\n"}, "old")), root=box.root, legacy=True)
    return store, [data, file, old]


def empty_cache(box: Sandbox) -> Store:
    os.rename(box.cache, box.base / f"cache-{len(box.opened)}")
    return box.store()


def test_there_and_back(box: Sandbox, remote: RemoteConfig) -> None:
    store, contents = filled(box)
    pushed = store.push(contents, remote)
    assert pushed.missing == ()
    assert len(pushed.copied) == 6
    assert store.push(contents, remote).copied == ()
    before = picture(box.cache)
    store = empty_cache(box)
    fetched = store.fetch(contents, remote)
    assert sorted(fetched.copied) == sorted(pushed.copied)
    assert fetched.missing == ()
    assert picture(box.cache) == before
    assert store.fetch(contents, remote).copied == ()
    assert all(store.has(content, verify=True) for content in contents)


def test_the_layout_is_dvcs(box: Sandbox) -> None:
    remote = RemoteConfig(name="r", url=f"file://{box.base}/remote")
    store, contents = filled(box)
    store.push(contents, remote)
    # A local remote is a cache in all but name.
    assert picture(box.base / "remote") == picture(box.cache)
    Dvc(str(box.base / "remote")).checkout(contents[0].oid, str(box.ws / "again"))
    assert (box.ws / "again" / "sub" / "b").read_text() == "2"


def test_what_is_missing_is_told(box: Sandbox, remote: RemoteConfig) -> None:
    store, contents = filled(box)
    lost = store.files(contents[0])["sub/b"]
    os.unlink(box.cache / "files" / "md5" / lost[:2] / lost[2:])
    pushed = store.push(contents, remote)
    assert pushed.missing == (lost,)
    assert contents[0].oid not in pushed.copied
    store = empty_cache(box)
    fetched = store.fetch(contents, remote)
    assert fetched.missing == (contents[0].oid,)
    assert not store.has(contents[0])


def test_damage_on_the_remote_does_not_enter_the_cache(box: Sandbox) -> None:
    remote = RemoteConfig(name="r", url=str(box.base / "remote"))
    store, contents = filled(box)
    store.push(contents, remote)
    oid = contents[1].oid
    path = box.base / "remote" / "files" / "md5" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_text("evil")
    store = empty_cache(box)
    with pytest.raises(StoreError, match="damaged"):
        store.fetch(contents[1:2], remote)
    assert box.objects() == set()


def test_the_run_cache_travels(box: Sandbox, remote: RemoteConfig) -> None:
    store = box.store()
    store.runs.save(KEY, VALUES[0], b'{"a": 1}', json.loads)
    assert store.push_runs(remote) == 1
    assert store.push_runs(remote) == 0
    store = empty_cache(box)
    assert store.fetch_runs(remote) == 1
    assert store.fetch_runs(remote) == 0
    assert store.runs.load(KEY, VALUES[0], json.loads) == {"a": 1}
    assert sorted(os.listdir(box.cache / "runs")) == ["f5"]


def test_two_may_pull_the_run_cache_at_once(box: Sandbox, remote: RemoteConfig) -> None:
    store, _ = filled(box)
    store.runs.save(KEY, VALUES[0], b'{"a": 1}', json.loads)
    store.push_runs(remote)
    store = empty_cache(box)
    os.makedirs(store.runs.root)
    files = open_remote(remote)

    class Beside:
        """Another one pulls all there is while a file is on its way."""

        find, put, exists = files.find, files.put, files.exists

        def get(self, path: str, target: str) -> None:
            files.get(path, target)
            assert pull_runs(store.runs, files, store.runs.root) == 1

    assert pull_runs(store.runs, Beside(), store.runs.root) == 1
    assert store.runs.load(KEY, VALUES[0], json.loads) == {"a": 1}
    assert os.listdir(store.runs.root) == [KEY[:2]]


def test_a_run_cache_that_cannot_be_made_is_told_of(box: Sandbox, remote: RemoteConfig) -> None:
    box.cache.write_text("no directory")

    with pytest.raises(StoreError, match="cannot fetch the run cache"):
        box.store().fetch_runs(remote)


def test_odd_names_in_a_remotes_run_cache_are_left_alone(box: Sandbox) -> None:
    odd = box.base / "remote" / "runs" / "f5" / KEY
    odd.mkdir(parents=True)
    (odd / "evil").write_text("x")
    (box.base / "remote" / "runs" / "00").mkdir()
    (box.base / "remote" / "runs" / "00" / KEY).write_text("x")
    remote = RemoteConfig(name="r", url=str(box.base / "remote"))
    assert box.store().fetch_runs(remote) == 0


def test_an_absent_remote_has_nothing(box: Sandbox, remote: RemoteConfig) -> None:
    _, contents = filled(box)
    store = empty_cache(box)
    assert len(store.fetch(contents, remote).missing) == 3
    assert store.fetch_runs(remote) == 0


@pytest.mark.parametrize(
    ("url", "options", "message", "hint"),
    [
        ("relative/path", {}, "relative url", None),
        ("gdrive://x/y", {}, "cannot read", "dvc fetch"),
        ("s3://bucket/x", {"version_aware": True}, "version_aware", "dvc fetch"),
        ("s3://bucket/x", {"worktree": True}, "worktree", "dvc fetch"),
        ("s3://bucket/x", {}, "not installed", "pip install 'exprun[s3]'"),
        ("azure://c/x", {}, "not installed", "pip install 'exprun[azure]'"),
        ("gs://c/x", {}, "not installed", "pip install 'exprun[gs]'"),
        ("ssh://host/x", {}, "not installed", "pip install 'exprun[ssh]'"),
    ],
)
def test_remotes_that_cannot_be_used(
    url: str,
    options: dict[str, object],
    message: str,
    hint: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(protocol: str) -> object:
        raise ImportError(f"install {protocol}")

    monkeypatch.setattr(fsspec, "get_filesystem_class", absent)
    with pytest.raises(StoreError, match=message) as caught:
        open_remote(RemoteConfig(name="r", url=url, options=options))
    assert (hint or "") in (caught.value.hint or "")


def test_http_has_no_run_cache(box: Sandbox) -> None:
    with pytest.raises(StoreError, match="no run cache"):
        box.store().fetch_runs(RemoteConfig(name="r", url="https://example.org/x"))


def test_failures_of_a_back_end_are_store_errors(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, *args: object, **kwargs: object) -> None:
        raise RuntimeError("the cloud is down")

    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setattr(MemoryFileSystem, "get_file", broken)
    _, contents = filled(box)
    store = empty_cache(box)
    with pytest.raises(StoreError, match="'r' failed: the cloud is down"):
        store.fetch(contents, RemoteConfig(name="r", url="memory://x/y"))
    assert box.objects() == set()


@pytest.mark.parametrize(
    ("scheme", "url", "options", "expected"),
    [
        (
            "s3",
            "s3://b/p",
            {"endpointurl": "http://e", "region": "eu", "access_key_id": "k", "profile": "p"},
            {
                "key": "k",
                "profile": "p",
                "client_kwargs": {"endpoint_url": "http://e", "region_name": "eu"},
            },
        ),
        ("gs", "gs://b/p", {"projectname": "x"}, {"project": "x"}),
        ("azure", "azure://b", {"account_name": "x"}, {"account_name": "x", "anon": False}),
        (
            "ssh",
            "ssh://me@host:22/p",
            {"keyfile": "k", "user": "you"},
            {"host": "host", "username": "you", "port": 22, "client_keys": ["k"]},
        ),
        (
            "https",
            "https://h",
            {"auth": "basic", "user": "u", "password": "p"},
            {"client_kwargs": {"headers": {"Authorization": "Basic dTpw"}}},
        ),
    ],
)
def test_options_in_the_words_of_fsspec(
    scheme: str, url: str, options: dict[str, object], expected: dict[str, object]
) -> None:
    assert protocols.PROTOCOLS[scheme].options(options, url) == expected
    assert NoSpace.__mro__[1] is StoreError
