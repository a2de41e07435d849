"""Run-cache keys and files and experiment hashes, against DVC's functions."""

from __future__ import annotations

import datetime
from copy import deepcopy
from typing import Any

import pytest
from dvc.stage.cache import _get_cache_hash
from dvc.utils import dict_sha256

from exprun.errors import LockfileError, ParamsError
from exprun.lockfile.entries import build_entry, from_data
from exprun.lockfile.keys import (
    experiment_hash,
    is_cacheable,
    is_savable,
    matches,
    parse_run_cache,
    run_cache_key,
    run_cache_names,
    run_cache_text,
)
from exprun.model.lock import Content, Oid
from exprun.model.paths import Location
from exprun.model.stage import Dependency, Output, OutputKind, ParamsFile, Stage
from tests.lockfile import oracle

MD5 = "ba8d2b9408ed255ee92a112fe7ba59be"

TRAIN: dict[str, Any] = {
    "cmd": "cat in.txt > out.txt; echo 1 > m.json",
    "deps": [{"path": "in.txt", "hash": "md5", "md5": MD5, "size": 3}],
    "params": {"params.yaml": {"lr": 0.2}},
    "outs": [
        {
            "path": "m.json",
            "hash": "md5",
            "md5": "b026324c6904b2a9cb4b88d6d61c81d1",
            "size": 2,
        },
        {"path": "out.txt", "hash": "md5", "md5": MD5, "size": 3},
    ],
}


def train(**changed: Any) -> dict[str, Any]:
    return {**deepcopy(TRAIN), **changed}


ENTRIES: dict[str, dict[str, Any]] = {
    "plain": train(),
    "list": train(cmd=["a", "é"]),
    "sizes in params": train(params={"p": {"size": 1, "a": {"nfiles": 2, "b": [{"size": 3}]}}}),
    "sizes in tuples": train(params={"p": {"a": ({"size": 1},)}}),
    "odd values": train(params={"p": {"a": [None, 1e-7, float("nan"), {"1": True}, {2: "x"}]}}),
    "long": train(cmd="word " * 40 + "'x: y'"),
    "no outs": {"cmd": "x"},
}


@pytest.mark.parametrize("data", ENTRIES.values(), ids=ENTRIES)
def test_keys_and_files_are_those_of_dvc(data: dict[str, Any]) -> None:
    entry = from_data(data, "here")
    key, value = run_cache_names(entry)
    assert value == _get_cache_hash(deepcopy(data))
    assert key == run_cache_key(entry) == _get_cache_hash(deepcopy(data), key=True)
    assert experiment_hash({"s": entry}) == dict_sha256({"s": data})
    text = run_cache_text(entry)
    assert text.decode() == oracle.dump(data)
    assert run_cache_text(parse_run_cache(text, name="f")) == text


def test_the_recorded_examples() -> None:
    entry = from_data(TRAIN, "here")
    key, value = run_cache_names(entry)
    assert key.startswith("f536d08e4040d421")
    assert value.startswith("5658f97c55b457de")
    assert experiment_hash({"train": entry}).startswith("9b0a9c17e95d4a23")
    assert experiment_hash({}).startswith("44136fa355b3678a")


@pytest.mark.parametrize("value", [datetime.date(2020, 1, 1), {1, 2}, {1: 1, "a": 2}, b"x"])
def test_what_json_cannot_hold_is_refused_as_in_dvc(value: object) -> None:
    data = train(params={"p": {"a": value}})
    with pytest.raises(TypeError):
        _get_cache_hash(deepcopy(data))
    with pytest.raises(ParamsError, match="JSON"):
        run_cache_key(from_data(data, "here"))


@pytest.mark.parametrize("text", [b"", b"cmd: 'x", b"- a\n", b"deps: []\n", b"cmd: x\nmore: 1\n"])
def test_a_damaged_run_cache_file_is_refused(text: bytes) -> None:
    with pytest.raises(LockfileError):
        parse_run_cache(text, name="f")


def test_a_hit_must_be_about_the_same_parameters() -> None:
    found = from_data(train(params={"p": {"size": 1}}), "here")
    current = from_data(train(params={"p": {"size": 2}}), "here")
    assert run_cache_key(found) == run_cache_key(current)
    assert matches(found, found)
    assert not matches(found, current)
    other_size = from_data(
        train(deps=[{"path": "in.txt", "hash": "md5", "md5": MD5}], params={"p": {"size": 1}}), "h"
    )
    assert matches(found, other_size)


def stage(**changed: Any) -> Stage:
    parts: dict[str, Any] = {
        "name": "s",
        "file": Location("dvc.yaml"),
        "wdir": Location("."),
        "cmd": "x",
        "deps": (Dependency(path="a", location=Location("a")),),
        "outs": (Output(path="o", location=Location("o")),),
    }
    return Stage(**{**parts, **changed})


def out(**options: Any) -> tuple[Output, ...]:
    return (Output(**{"path": "o", "location": Location("o"), **options}),)


PARAMS = (ParamsFile(path="p", location=Location("p")),)

CACHEABLE: list[tuple[str, Stage, bool, bool]] = [
    ("plain", stage(), True, True),
    ("params only", stage(deps=(), params=PARAMS), True, True),
    ("no inputs", stage(deps=()), False, False),
    ("no outs", stage(outs=()), False, False),
    ("always", stage(always_changed=True), False, False),
    ("persist", stage(outs=out(persist=True)), False, False),
    ("outside", stage(outs=out(path="../o", location=Location("../o"))), False, False),
    ("uncached", stage(outs=out(cache=False)), True, False),
    ("uncached metric", stage(outs=out(cache=False, kind=OutputKind.METRIC)), True, True),
]


@pytest.mark.parametrize(
    ("one", "loadable", "savable"), [case[1:] for case in CACHEABLE], ids=[c[0] for c in CACHEABLE]
)
def test_which_stages_use_the_run_cache(one: Stage, loadable: bool, savable: bool) -> None:
    content = Content(oid=Oid(MD5))
    entry = build_entry(one, {Location("a"): content}, {Location("p"): {"k": 1}})
    assert is_cacheable(one, entry) is loadable
    assert is_savable(one, entry) is savable


def test_a_stage_without_the_hash_of_an_input_or_values_is_not_cacheable() -> None:
    remote = Location("s3://b/k")
    one = stage(deps=(Dependency(path=remote, location=remote),))
    entry = build_entry(one, {}, {}, extras={remote: {"hash": "md5", "etag": "abc"}})
    assert not is_cacheable(one, entry)
    one = stage(params=PARAMS)
    entry = build_entry(one, {Location("a"): Content(oid=Oid(MD5))}, {Location("p"): {}})
    assert not is_cacheable(one, entry)
