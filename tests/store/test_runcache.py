"""Run-cache entries: newest first, whole, and removed when damaged."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from exprun.errors import LockfileError, StoreError

if TYPE_CHECKING:
    from .conftest import Sandbox

KEY = "f536d08e4040d4213522de58f935b7f16f7902027152ad2652bedbc760585185"
VALUES = [f"{n:064x}" for n in range(3)]


def test_newest_first(box: Sandbox) -> None:
    runs = box.store().runs
    assert runs.values(KEY) == []
    for value in VALUES:
        assert runs.save(KEY, value, b"{}", json.loads)
    for age, value in zip((5, 1, 3), VALUES, strict=True):
        os.utime(runs.path(KEY, value), ns=(0, 10**18 - age))
    (box.cache / "runs" / "f5" / KEY / ".x.tmp").write_text("left over")
    assert runs.values(KEY) == [VALUES[1], VALUES[2], VALUES[0]]
    assert runs.entries() == [(KEY, value) for value in runs.values(KEY)]


def test_files_in_the_places_of_directories_are_no_entries(box: Sandbox) -> None:
    """As what was fetched before a kill, or a desktop's own."""
    runs = box.store().runs
    runs.save(KEY, VALUES[0], b"{}", json.loads)
    (box.cache / "runs" / ".x.tmp").write_text("left over")
    (box.cache / "runs" / "f5" / ".DS_Store").touch()
    (box.cache / "runs" / "f5" / (KEY[:-1] + "0")).touch()
    assert runs.entries() == [(KEY, VALUES[0])]
    assert runs.values(KEY[:-1] + "0") == []


@pytest.mark.parametrize("shared", [False, True])
def test_layout_and_modes(box: Sandbox, shared: bool) -> None:
    store = box.store(shared=shared)
    store.runs.save(KEY, VALUES[0], b"{}", json.loads)
    path = box.cache / "runs" / "f5" / KEY / VALUES[0]
    assert path.read_bytes() == b"{}"
    umask = store._modes.umask
    assert path.stat().st_mode & 0o7777 == (0o664 if shared else 0o666 & ~umask)
    for directory in (path.parent, path.parent.parent, box.cache / "runs"):
        assert directory.stat().st_mode & 0o7777 == (0o2775 if shared else 0o777 & ~umask)


def test_a_sound_entry_stays_and_a_damaged_one_goes(box: Sandbox) -> None:
    runs = box.store().runs
    assert runs.save(KEY, VALUES[0], b'{"a": 1}', json.loads)
    assert not runs.save(KEY, VALUES[0], b'{"a": 2}', json.loads)
    assert runs.load(KEY, VALUES[0], json.loads) == {"a": 1}

    def refuse(data: bytes) -> object:
        raise LockfileError("no cmd")

    assert runs.load(KEY, VALUES[0], refuse) is None
    assert "no cmd" in box.warnings[0]
    assert runs.load(KEY, VALUES[0], json.loads) is None
    assert runs.save(KEY, VALUES[0], b"torn", json.loads)
    assert runs.save(KEY, VALUES[0], b'{"a": 3}', json.loads)
    assert runs.load(KEY, VALUES[0], json.loads) == {"a": 3}


def test_names_are_checked(box: Sandbox) -> None:
    runs = box.store().runs
    with pytest.raises(StoreError):
        runs.values("../../x")
    with pytest.raises(StoreError):
        runs.save(KEY, "../../x", b"{}", json.loads)
