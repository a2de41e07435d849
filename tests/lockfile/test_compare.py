"""Whether a stage is changed, why, and what is said, against ``dvc status`` on the same files."""

from __future__ import annotations

import json
import shutil
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

from exprun.lockfile.compare import Change, ChangeKind, External, How, changes, status
from exprun.lockfile.entries import build_entry
from exprun.lockfile.restore import Source, source_of_outputs
from exprun.lockfile.wording import describe, status_json
from exprun.model.lock import Content, LockedPath, LockedStage, Oid
from exprun.model.paths import Location
from exprun.model.stage import Dependency, Output, Stage
from tests.lockfile.scenario import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lockfile.scenario import Scenario


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's dependencies

CRLF, LF = b"a\r\nb\r\n", b"a\nb\n"


def _replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / file).read_bytes().decode()
        assert old in text
        (root / file).write_bytes(text.replace(old, new).encode())

    return edit


def _delete(*files: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        for file in files:
            path = root / file
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return edit


def _make_legacy(root: Path) -> None:
    """The entries as DVC 2 had them; that of `text` is still right once its CRLF is folded."""
    raw, folded = (md5(data, usedforsecurity=False).hexdigest() for data in (CRLF, LF))
    lines = (root / "dvc.lock").read_text().splitlines(keepends=True)
    kept = "".join(line for line in lines if "hash: md5" not in line)
    assert raw in kept
    (root / "dvc.lock").write_text(kept.replace(raw, folded))
    cached = root / ".dvc" / "cache" / folded[:2] / folded[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(LF)


EDITS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda root: None,
    "dep modified": _replace("in.txt", "in", "IN"),
    "dep deleted": _delete("in.txt"),
    "dep executable": lambda root: (root / "in.txt").chmod(0o755),
    "directory modified": _replace("data/b", "b", "B"),
    "directory deleted": _delete("data"),
    "param modified": _replace("params.yaml", "0.1", "0.2"),
    "param equal": _replace("params.yaml", "0.1", "1.0e-1"),
    "param of another type": _replace("params.yaml", "0.1", "'0.1'"),
    "param deleted": _replace("params.yaml", "lr", "rl"),
    "item modified": _replace("params.yaml", "[3", "[4"),
    "item deleted": _replace("params.yaml", "[3, {b: 1, a: 2}]", "[]"),
    "unused param": _replace("params.yaml", "unused", "other"),
    "list modified": _replace("other.json", "null", "0"),
    "int for float": _replace("other.json", "2.0", "2"),
    "key of the whole file added": _replace("whole.toml", "z = 1", "z = 1\nb = 2"),
    "key of the whole file deleted": _replace("whole.toml", "z = 1", "y = 1"),
    "params file deleted": _delete("other.json", "whole.toml"),
    "out modified": _replace("out.txt", "in", "out"),
    "out deleted": _delete("out.txt"),
    "uncached out modified": _replace("m.json", "1", "2"),
    "uncached out deleted": _delete("m.json"),
    "cache gone": _delete(".dvc/cache"),
    "file of a directory gone from the cache": _delete(".dvc/cache/files/md5/40"),
    "cmd": _replace("dvc.lock", "cp -r data d", "cp -R data d"),
    "lock gone": _delete("dvc.lock"),
    "frozen out modified": _replace("cold.txt", "cold", "hot"),
    "params never recorded": _replace("dvc.lock", "      other.json:\n", "      another.json:\n"),
    "dep never recorded": _replace("dvc.lock", "path: in.txt", "path: out.txt.bak"),
    "legacy": _make_legacy,
    "everything": _delete("in.txt", "data", "out.txt", "d", "params.yaml", "other.json"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_stage_is_changed_exactly_when_it_is_for_dvc(
    scenario: Scenario, edit: Callable[[Path], None]
) -> None:
    scenario.reset()
    edit(scenario.root)
    lock = scenario.lock()
    repo = scenario.repo
    expected = repo.status()
    found = {
        name: status_json(status(stage, lock.get(name), scenario.probe))
        for name, stage in STAGES.items()
    }
    assert json.dumps({name: told for name, told in found.items() if told}) == json.dumps(
        {name: expected[name] for name in STAGES if name in expected}
    )
    theirs = {stage.name: stage for stage in repo.index.stages}
    for name, stage in STAGES.items():
        for missing in (False, True):
            ours = changes(stage, lock.get(name), scenario.probe, allow_missing=missing)
            with repo.lock:
                assert (next(ours, None) is not None) == theirs[name].changed(missing, []), name


OLD = Content(oid=Oid("0" * 32))
NEW = Content(oid=Oid("1" * 32))


class FakeProbe:
    """Holds what it was told; remembers what it was asked."""

    def __init__(self, **contents: Content) -> None:
        self.contents = contents
        self.asked: list[tuple[str, bool]] = []

    def content(self, location: Location, *, legacy: bool) -> Content | None:
        self.asked.append((location, legacy))
        return self.contents.get(location)

    def params(self, location: Location) -> None:
        return None

    def has_objects(self, content: Content) -> bool:
        return True


def _stage() -> Stage:
    return Stage(
        name="s",
        file=Location("dvc.yaml"),
        wdir=Location("."),
        cmd="x",
        deps=(Dependency(path="a", location=Location("a")),),
        outs=(Output(path="o", location=Location("o")),),
    )


def _locked(content: Content = OLD) -> LockedStage:
    return LockedStage(
        cmd="x",
        deps=(LockedPath(path="a", content=content),),
        outs=(LockedPath(path="o", content=OLD),),
    )


def test_the_first_reason_is_found_without_looking_further() -> None:
    probe = FakeProbe(a=NEW, o=OLD)
    first = next(changes(_stage(), _locked(), probe))
    assert (first.kind, first.how, first.old, first.new) == (
        ChangeKind.DEPENDENCY,
        How.MODIFIED,
        OLD,
        NEW,
    )
    assert probe.asked == [("a", False)]


def test_a_legacy_entry_is_compared_by_its_own_hash_inside_the_project() -> None:
    legacy = Content(oid=OLD.oid, legacy=True)
    probe = FakeProbe(a=legacy, o=OLD)
    assert list(changes(_stage(), _locked(legacy), probe)) == []
    assert probe.asked[0] == ("a", True)


@pytest.mark.parametrize(
    ("upstream", "changed"),
    [({}, False), ({"a": OLD}, False), ({"a": NEW}, True), ({"a": None}, True)],
)
def test_missing_data_is_excused_unless_upstream_makes_other_data(
    upstream: dict[Location, Content | None], changed: bool
) -> None:
    probe = FakeProbe(o=OLD)
    found = list(changes(_stage(), _locked(), probe, allow_missing=True, upstream=upstream))
    assert [change.how for change in found] == ([How.MODIFIED] if changed else [])


def test_a_data_file_tells_its_checksum_and_its_import() -> None:
    source = {"repo": {"url": "https://x"}}
    stage = Stage(
        name=None,
        file=Location("o.dvc"),
        wdir=Location("."),
        deps=(Dependency(path="a", location=Location("a"), source=source),),
        outs=(Output(path="o", location=Location("o")),),
    )
    found = status(
        stage,
        LockedStage(outs=(LockedPath(path="o", content=OLD),)),
        FakeProbe(o=NEW),
        checksum_changed=True,
        external=External(has_update=lambda dep: True),
    )
    assert status_json(found) == [
        {"changed deps": {"a (https://x)": "update available"}},
        {"changed outs": {"o": "modified"}},
        "changed checksum",
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(kind=ChangeKind.COMMAND), "changed command"),
        (
            Change(kind=ChangeKind.PARAM, location=Location("p"), key="lr", old=0.1, new=0.2),
            "param lr: 0.1 → 0.2",
        ),
        (
            Change(kind=ChangeKind.PARAM, location=Location("p"), key="lr", how=How.NEW),
            "param lr: new",
        ),
        (Change(kind=ChangeKind.DEPENDENCY, location=Location("d")), "dep d: modified"),
        (
            Change(kind=ChangeKind.OUTPUT, location=Location("o"), how=How.NOT_IN_CACHE),
            "out o: not in cache",
        ),
    ],
)
def test_reasons_are_told(change: Change, text: str) -> None:
    assert describe(change) == text


def test_where_outputs_may_come_from() -> None:
    stage, probe = _stage(), FakeProbe(a=OLD, o=NEW)
    current = build_entry(stage, {Location("a"): OLD}, {})
    assert source_of_outputs(stage, _locked(), current, probe) is Source.LOCK
    assert source_of_outputs(stage, None, current, probe) is Source.RUN_CACHE
    assert source_of_outputs(stage, _locked(), current, FakeProbe(a=NEW)) is Source.RUN_CACHE
    kept = Output(path="o", location=Location("o"), persist=True)
    persistent = Stage(
        name="s", file=stage.file, wdir=stage.wdir, cmd="x", deps=stage.deps, outs=(kept,)
    )
    assert source_of_outputs(persistent, _locked(), current, probe) is Source.COMMAND
