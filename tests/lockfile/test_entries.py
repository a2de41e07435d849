"""Building entries, against DVC's serialisation of the same stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dvc.schema import COMPILED_LOCK_FILE_STAGE_SCHEMA
from dvc.stage.serialize import to_single_stage_lockfile
from voluptuous import Invalid

from exprun.errors import LockfileError, MissingDependency, ParamsError
from exprun.lockfile.entries import build_entry, from_data, to_data
from exprun.model.lock import Content, LockedPath, LockedStage, Oid
from exprun.model.paths import Location, join
from exprun.model.stage import Dependency, Output, ParamsFile, Stage
from tests.lockfile import oracle
from tests.lockfile.scenario import STAGES

if TYPE_CHECKING:
    from tests.lockfile.scenario import Scenario

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's dependencies

ONE = Content(oid=Oid("1" * 32), size=1)
TWO = Content(oid=Oid("2" * 32), size=2, isexec=True)
TREE = Content(oid=Oid("3" * 32 + ".dir"), size=0, nfiles=0)


@pytest.mark.parametrize("name", ["train", "cold", "always"])
def test_an_entry_is_built_as_dvc_builds_it(scenario: Scenario, name: str) -> None:
    scenario.reset()
    stage, probe = STAGES[name], scenario.probe
    paths = [dep.location for dep in stage.deps] + [out.location for out in stage.outs]
    contents = {path: probe.content(path, legacy=False) for path in paths}
    entry = build_entry(
        stage,
        {path: content for path, content in contents.items() if content},
        {file.location: probe.params(file.location) or {} for file in stage.params},
    )
    with scenario.repo.lock:
        theirs = next(each for each in scenario.repo.index.stages if each.name == name)
        theirs.save(run_cache=False)
        expected = to_single_stage_lockfile(theirs)
    assert oracle.spell(to_data(entry)) == oracle.spell(expected)
    assert to_data(scenario.lock()[name]) == expected


def stage(*, wdir: str = ".", deps: str = "", outs: str = "", params: str = "") -> Stage:
    at = Location(wdir)
    return Stage(
        name="s",
        file=Location("dvc.yaml"),
        wdir=at,
        cmd=("x", "y"),
        deps=tuple(Dependency(path=path, location=join(at, path)) for path in deps.split()),
        params=tuple(ParamsFile(path=path, location=join(at, path)) for path in params.split()),
        outs=tuple(Output(path=path, location=join(at, path)) for path in outs.split()),
    )


def test_paths_stay_as_written_and_are_sorted_as_text() -> None:
    one = stage(wdir="sub", deps="./b ../a c/ !d é", outs="z Z")
    contents = {dep.location: ONE for dep in one.deps} | {out.location: ONE for out in one.outs}
    entry = build_entry(one, contents, {})
    assert [dep.path for dep in entry.deps] == ["!d", "../a", "./b", "c/", "é"]
    assert [out.path for out in entry.outs] == ["Z", "z"]


def test_params_files_are_sorted_normalised_and_the_default_one_comes_first() -> None:
    one = stage(wdir="sub", params="z.yaml ../a.yaml ./params.yaml")
    params = {file.location: {"b": 1, "a": {"z": 1, "y": 2}} for file in one.params}
    entry = build_entry(one, {}, params)
    assert list(entry.params) == ["params.yaml", "../a.yaml", "z.yaml"]
    assert oracle.spell(entry.params["z.yaml"]) == '{"a": {"z": 1, "y": 2}, "b": 1}'


def test_content_is_spelled_in_the_order_of_dvc() -> None:
    locked = LockedStage(
        cmd=("x",),
        deps=(LockedPath(path="a", content=TWO), LockedPath(path="t", content=TREE)),
        outs=(
            LockedPath(path="l", content=Content(oid=ONE.oid, size=1, legacy=True)),
            LockedPath(path="c", content=ONE, extra={"cloud": {"r": {"version_id": "v"}}}),
            LockedPath(path="e", extra={"hash": "md5", "etag": "abc"}),
        ),
    )
    data = to_data(locked)
    assert oracle.spell(data) == oracle.spell(
        {
            "cmd": ["x"],
            "deps": [
                {"path": "a", "hash": "md5", "md5": TWO.oid, "size": 2, "isexec": True},
                {"path": "t", "hash": "md5", "md5": TREE.oid, "size": 0, "nfiles": 0},
            ],
            "outs": [
                {"path": "l", "md5": ONE.oid, "size": 1},
                {
                    "path": "c",
                    "hash": "md5",
                    "md5": ONE.oid,
                    "size": 1,
                    "cloud": {"r": {"version_id": "v"}},
                },
                {"path": "e", "hash": "md5", "etag": "abc"},
            ],
        }
    )
    assert from_data(data, "here") == locked


def test_an_unchanged_output_keeps_its_version_in_the_cloud() -> None:
    versioned = LockedPath(path="o", content=ONE, extra={"cloud": {"r": {"version_id": "v"}}})
    recorded = LockedStage(cmd="x", outs=(versioned,))
    one = stage(outs="o")
    same = build_entry(one, {Location("o"): ONE}, {}, recorded=recorded)
    assert same.outs == (versioned,)
    changed = build_entry(one, {Location("o"): TWO}, {}, recorded=recorded)
    assert changed.outs == (LockedPath(path="o", content=TWO),)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingDependency, match="dependency 'sub/a' does not exist"):
        build_entry(stage(wdir="sub", deps="a"), {}, {})
    with pytest.raises(MissingDependency, match=r"dependency 'p\.yaml' does not exist"):
        build_entry(stage(params="p.yaml"), {}, {})
    keyed = ParamsFile(path="p", location=Location("p"), keys=("b",))
    one = Stage(name="s", file=Location("dvc.yaml"), wdir=Location("."), cmd="x", params=(keyed,))
    with pytest.raises(ParamsError, match="Parameters 'b' are missing from 'p'"):
        build_entry(one, {}, {Location("p"): {"a": 1}})


ODD_ENTRIES: list[object] = [
    {"cmd": "x"},
    {"cmd": ["x", 1]},
    {"cmd": None},
    {},
    [],
    None,
    {"cmd": "x", "deps": None},
    {"cmd": "x", "deps": {}},
    {"cmd": "x", "deps": [None]},
    {"cmd": "x", "deps": [{}]},
    {"cmd": "x", "deps": [{"path": 1}]},
    {"cmd": "x", "deps": [{"path": "p", "size": True}]},
    {"cmd": "x", "deps": [{"path": "p", "size": None}]},
    {"cmd": "x", "deps": [{"path": "p", "md5": None, "etag": "", "checksum": "abc"}]},
    {"cmd": "x", "deps": [{"path": "p", "etag": "ab"}]},
    {"cmd": "x", "deps": [{"path": "p", "etag": 123}]},
    {"cmd": "x", "deps": [{"path": "p", "isexec": 1}]},
    {"cmd": "x", "deps": [{"path": "p", "hash": None}]},
    {"cmd": "x", "deps": [{"path": "p", "hash": "sha256"}]},
    {"cmd": "x", "deps": [{"path": "p", "desc": "d"}]},
    {"cmd": "x", "deps": [{"path": "p", "dataset": {"a": 1}}]},
    {"cmd": "x", "deps": [{"path": "p", "dataset": []}]},
    {"cmd": "x", "outs": [{"path": "p", "cloud": {"r": {"version_id": "v", "size": 1}}}]},
    {"cmd": "x", "outs": [{"path": "p", "cloud": {"r": {}, "q": {}}}]},
    {"cmd": "x", "outs": [{"path": "p", "cloud": {}}]},
    {"cmd": "x", "outs": [{"path": "p", "files": [{"relpath": "r", "size": 1}]}]},
    {"cmd": "x", "outs": [{"path": "p", "files": [{"size": 1}]}]},
    {"cmd": "x", "outs": [{"path": "p", "version_id": 1}]},
    {"cmd": "x", "params": {}},
    {"cmd": "x", "params": {"p": {}}},
    {"cmd": "x", "params": {"p": None}},
    {"cmd": "x", "params": {"p": {1: 2}}},
    {"cmd": "x", "params": {1: {}}},
    {"cmd": "x", "wdir": "."},
]


@pytest.mark.parametrize("data", ODD_ENTRIES, ids=repr)
def test_entries_are_accepted_as_dvc_accepts_them(data: object) -> None:
    try:
        COMPILED_LOCK_FILE_STAGE_SCHEMA(data)
    except Invalid:
        with pytest.raises(LockfileError):
            from_data(data, "here")
    else:
        from_data(data, "here")
