"""Manifests are DVC's to the byte, and cannot name files elsewhere."""

from __future__ import annotations

import json

import pytest
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import StoreError
from exprun.model.lock import Oid
from exprun.model.manifest import build_manifest, manifest_oid
from exprun.store.manifest import is_oid, parse_manifest

OIDS = st.binary(min_size=16, max_size=16).map(lambda data: Oid(data.hex()))
NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=[]), min_size=1, max_size=6
).filter(lambda name: name not in (".", "..") and name.lower() != ".git")


@st.composite
def _files(draw: st.DrawFn) -> dict[str, Oid]:
    files: dict[str, Oid] = {}
    for parts in draw(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=6)):
        relpath = "/".join(parts)
        taken = any(f"{relpath}/".startswith(f"{o}/") or o.startswith(f"{relpath}/") for o in files)
        if not taken:
            files[relpath] = draw(OIDS)
    return files


@settings(max_examples=80)
@given(_files())
def test_round_trip_and_dvcs_bytes(files: dict[str, Oid]) -> None:
    data = build_manifest(files)
    parsed = parse_manifest(data, where="m")
    assert parsed == files
    assert list(parsed) == sorted(files)

    tree = Tree()
    for relpath, oid in files.items():
        tree.add(tuple(relpath.split("/")), None, HashInfo("md5", oid))
    tree.digest()
    assert tree.as_bytes() == data
    assert tree.hash_info.value == manifest_oid(data)


def test_empty_directory() -> None:
    assert manifest_oid(build_manifest({})) == "d751713988987e9331980363e24189ce.dir"


def test_the_specified_example() -> None:
    files = {
        "a/b": "b026324c6904b2a9cb4b88d6d61c81d1",
        "a.c": "6d7fce9fee471194aa8b5b6e47267f03",
        "a-b": "26ab0db90d72e28ad0ba1e22ee510510",
        "Z/z": "1dcca23355272056f04fe8bf20edfce0",
        'é x"q': "48a24b70a0b376535542b996af517398",
    }
    data = build_manifest({relpath: Oid(oid) for relpath, oid in files.items()})
    assert manifest_oid(data) == "8d9cbbd11b3a26c2953946f40ea692a7.dir"


OID = "b026324c6904b2a9cb4b88d6d61c81d1"


@pytest.mark.parametrize(
    "relpath",
    "../x|/etc/passwd|a/../../x||.|a//b|./a|a/|.git/config|a/.GIT/x|a\0b".split("|"),
)
def test_paths_that_escape_are_refused(relpath: str) -> None:
    data = json.dumps([{"md5": OID, "relpath": relpath}]).encode()
    with pytest.raises(StoreError, match="outside its directory") as caught:
        parse_manifest(data, where="the-manifest")
    assert caught.value.where == "the-manifest"


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"nonsense",
        b"\xff\xfe",
        b"[1]",
        b'[{"md5": "x", "relpath": "a"}]',
        b'[{"md5": "../../../../../../../etc/passwd00", "relpath": "a"}]',
        json.dumps([{"md5": OID, "relpath": "a"}] * 2).encode(),
        json.dumps([{"md5": OID, "relpath": p} for p in ("a", "a/b/c")]).encode(),
        b"[" * 100_000,
    ],
)
def test_malformed_manifests_are_refused(data: bytes) -> None:
    with pytest.raises(StoreError):
        parse_manifest(data, where="m")


def test_other_keys_are_allowed() -> None:
    data = json.dumps([{"md5": OID, "relpath": "a", "size": 3}]).encode()
    assert parse_manifest(data, where="m") == {"a": OID}


@pytest.mark.parametrize(
    ("text", "good"),
    [(OID, True), (OID + ".dir", True), (OID + "\n", False), (OID.upper(), False), ("ab", False)],
)
def test_names_of_objects(text: str, good: bool) -> None:
    assert is_oid(text) is good
