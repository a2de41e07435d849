"""What is recorded about stages reaches their lock files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exprun.model.lock import LockedStage
from exprun.model.paths import Location
from exprun.model.stage import StageId
from exprun.project.files import DiskFiles
from exprun.runner.lockbook import LockBook

if TYPE_CHECKING:
    from pathlib import Path


def test_what_could_not_be_written_is_written_the_next_time(tmp_path: Path) -> None:
    book = LockBook(DiskFiles(str(tmp_path)), str(tmp_path))
    book.record(StageId(Location("dvc.yaml"), "s"), LockedStage(cmd="true"))
    in_the_way = tmp_path / "dvc.lock"
    in_the_way.mkdir()
    with pytest.raises(IsADirectoryError):
        book.flush()
    in_the_way.rmdir()

    book.flush()

    assert "cmd: 'true'" in in_the_way.read_text()
