""".dvc files mean what they mean to DVC, and are rewritten to the same bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exprun.errors import PipelineError
from exprun.model.lock import Content, LockedPath, LockedStage, Oid
from exprun.model.paths import Location
from exprun.pipeline.datafile import DataFile, load_data_file, update_data_file
from tests.pipeline.oracle import FAILS, load_data

if TYPE_CHECKING:
    from tests.pipeline.oracle import Changes, Oracle

A = "aab7e3691d8e56dbebe8c22e116a21f4"
B = "8d9cbbd11b3a26c2953946f40ea692a7"

GOOD = {
    "file": f"outs:\n- md5: {A}\n  size: 4\n  hash: md5\n  path: x\n",
    "directory": f"outs:\n- md5: {B}.dir\n  size: 10\n  nfiles: 5\n  hash: md5\n  path: d\n",
    "executable": f"outs:\n- md5: {A}\n  size: 0\n  isexec: true\n  hash: md5\n  path: x\n",
    "legacy": f"outs:\n- md5: {A}\n  size: 4\n  path: x\n",
    "legacy directory": f"outs:\n- md5: {B}.dir\n  nfiles: 4\n  path: x\n",
    "comments": f"# first\nouts: # here\n- md5: {A}  # hash\n  size: 4\n  hash: md5\n"
    "  path: 'x'   # path\n  desc: \"quoted\"\n# last\nmeta: {a: [1, 2]} # meta\n",
    "options": f"outs:\n- {{md5: {A}, size: 4, hash: md5, path: x, cache: false, persist: true,\n"
    "    push: false, remote: r, desc: d, type: t, labels: [a, b], meta: {k: v}}\n",
    "options in order": f"outs:\n- md5: {A}\n  hash: md5\n  path: x\n  desc: d\n  type: t\n"
    "  labels:\n  - a\n  meta:\n    k: 1\n  persist: true\n  remote: r\n  push: false\n",
    "import of a file": f"md5: f2a733fe2b71cb192dd79dc64e04c2f4\nfrozen: true\ndeps:\n- md5: {A}\n"
    f"  size: 4\n  hash: md5\n  path: /ext/file\nouts:\n- md5: {A}\n  size: 4\n  hash: md5\n"
    "  path: x\n",
    "import without hashes": "frozen: true\n"
    "deps:\n- path: /ext/file\nouts:\n- hash: md5\n  path: x\n",
    "import of an old file": f"md5: {A}\nlocked: true\ndeps:\n- md5: {A}\n  path: /ext/file\n"
    f"outs:\n- md5: {A}\n  path: x\n",
    "import from the project": f"md5: {A}\ndeps:\n- md5: {A}\n  path: ../src\nouts:\n- md5: {A}\n"
    "  path: ./x\n",
    "import from the web": f"md5: {A}\nfrozen: true\ndeps:\n- checksum: '\"5dc1e4\"'\n  size: 3\n"
    f"  hash: checksum\n  path: https://h/x\nouts:\n- md5: {A}\n  hash: md5\n  path: x\n",
    "fs_config": f"deps:\n- md5: {A}\n  hash: md5\n  path: /ext/x\n  fs_config: {{verify: true}}\n"
    f"outs:\n- md5: {A}\n  hash: md5\n  path: x\n",
    "two outputs": "outs:\n"
    f"- md5: {A}\n  hash: md5\n  path: x\n- md5: {B}\n  hash: md5\n  path: y\n",
    "no outputs": "outs: []\ndeps: \n",
    "empty": "",
    "described": f"desc: it\nmeta: 1\nwdir: ..\nalways_changed: true\nouts:\n- md5: {A}\n"
    "  hash: md5\n  path: x\n",
    "key order": f"outs:\n- path: x\n  hash: md5\n  size: 4\n  md5: {A}\nwdir: sub\n",
    "wdir null": f"wdir:\nouts:\n- md5: {A}\n  hash: md5\n  path: x\n",
    "without an md5": "md5: ''\nouts:\n- md5: ''\n  path: x\n",
}

BAD = {
    "list": "- a\n",
    "unknown key": "stages: {}\n",
    "cmd": f"cmd: x\nouts:\n- md5: {A}\n  path: x\n",
    "out without path": f"outs:\n- md5: {A}\n",
    "out as text": "outs: [x]\n",
    "out with unknown key": "outs:\n- path: x\n  metric: true\n",
    "out named as a dvc file": "outs:\n- path: x.dvc\n",
    "dep without path": f"deps:\n- md5: {A}\n",
    "dep empty path": "deps:\n- path: ''\n",
    "dep with option": "deps:\n- path: x\n  cache: false\n",
    "size as text": "outs:\n- path: x\n  size: '4'\n",
    "short md5": "outs:\n- path: x\n  md5: ab\n",
    "number as md5": "outs:\n- path: x\n  md5: 12345678901234567890123456789012\n",
    "repo without url": "deps:\n- path: x\n  repo: {rev: a}\n",
    "two clouds": "outs:\n- path: x\n  cloud: {a: {}, b: {}}\n",
    "frozen as text": "frozen: 'yes'\n",
    "duplicate": "outs: []\nouts: []\n",
}


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_same_as_dvc(name: str, oracle: Oracle) -> None:
    text = (GOOD | BAD)[name]
    theirs = oracle.load_data(text, "sub/x.dvc")
    assert load_data(text, oracle.root, "sub/x.dvc") == theirs
    assert (theirs == FAILS) == (name in BAD)


CHANGES: dict[str, Changes] = {
    "unchanged": {},
    "file": {"x": ("b026324c6904b2a9cb4b88d6d61c81d1", 2, None, False)},
    "executable": {"x": (A, 2, None, True)},
    "directory": {"x": (f"{A}.dir", 20, 3, False), "d": (f"{A}.dir", 0, 0, False)},
}


@pytest.mark.parametrize("changed", CHANGES)
@pytest.mark.parametrize("name", [name for name in GOOD if "without" not in name])
def test_rewritten_as_dvc_does(name: str, changed: str, oracle: Oracle) -> None:
    changes = CHANGES[changed]
    theirs = oracle.rewrite_data(GOOD[name], "sub/x.dvc", changes)
    file = load_data_file(Location("sub/x.dvc"), GOOD[name].encode(), root=str(oracle.root))
    recorded = LockedStage(
        deps=tuple(_changed(entry, changes) for entry in file.recorded.deps),
        outs=tuple(_changed(entry, changes) for entry in file.recorded.outs),
    )
    assert update_data_file(file, recorded).decode() == theirs.decode()


def _changed(entry: LockedPath, changes: Changes) -> LockedPath:
    if entry.path not in changes:
        return entry
    md5, size, nfiles, isexec = changes[entry.path]
    content = Content(oid=Oid(md5), size=size, nfiles=nfiles, isexec=isexec)
    return replace(entry, content=content, extra={})


def test_an_import_from_a_repository_keeps_its_source() -> None:
    text = f"""\
md5: 45eef8c095a6dd5848051a740fcb111c
frozen: true
deps:
- path: data
  repo:
    url: git@host:repo
    rev_lock: e2958b111eb437c7c86112f296e755b4f2cd3719
outs:
- md5: {A}.dir
  size: 13
  nfiles: 3
  hash: md5
  path: data
"""
    file = _load(text)
    (dep,) = file.stage.deps
    assert dep.source == {
        "repo": {
            "url": "git@host:repo",
            "rev_lock": "e2958b111eb437c7c86112f296e755b4f2cd3719",
        }
    }
    assert file.stage.is_import
    rewritten = update_data_file(file, file.recorded).decode()
    assert rewritten.split("\n", 1)[1] == text.split("\n", 1)[1]


def test_an_import_from_a_database_has_no_path() -> None:
    file = _load("deps:\n- db: {query: select, connection: c}\nouts:\n- path: x.csv\n")
    (dep,) = file.stage.deps
    assert dep.source == {"db": {"query": "select", "connection": "c"}}


def test_a_directory_of_a_versioned_remote_keeps_its_files() -> None:
    text = f"""\
outs:
- hash: md5
  path: d
  files:
  - relpath: a
    md5: {A}
    size: 4
    cloud:
      s3:
        etag: etag
        version_id: v
"""
    file = _load(text)
    assert update_data_file(file, file.recorded).decode() == text


@pytest.mark.parametrize("md5", ["../../../etc/passwd", "AAB7E3691D8E56DBEBE8C22E116A21F4", "abc"])
def test_the_name_of_an_object_cannot_be_a_path(md5: str) -> None:
    with pytest.raises(PipelineError) as caught:
        _load(f"outs:\n- path: x\n  md5: {md5}\n")
    assert caught.value.where == "x.dvc:3"


def _load(text: str) -> DataFile:
    return load_data_file(Location("x.dvc"), text.encode(), root="/project")
