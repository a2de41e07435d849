from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from exprun.project.root import Place
from exprun.runner.announcing import Announcements, list_announced
from exprun.runner.presence import present

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = "0123456789abcdef" * 2
STANDALONE = ".dvc/tmp/exps/standalone"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(root=str(tmp_path), git=None)
    with present(place.running_dir, MARK):
        yield place


def announce(announcements: Announcements, root: str, number: int, name: str) -> None:
    announcements.announce(
        root, name=name, baseline="b" * 40, log_dir=f"logs/{name}", id=f"{number:08x}"
    )


def test_the_files_of_what_has_ended_are_those_of_the_next(place: Place, tmp_path: Path) -> None:
    announcements = Announcements(place, MARK)
    inodes = []
    for number, name in enumerate(["one-with-a-long-name", "two"]):
        announce(announcements, "/elsewhere", number, name)
        [told] = list_announced(place)
        assert (told.name, told.log_dir, told.root) == (name, f"logs/{name}", "/elsewhere")
        directory = tmp_path / STANDALONE / "run" / told.rev
        assert {file.name for file in directory.iterdir()} == {
            "exprun", f"{told.rev}.run", f"{told.rev}.json",
        }  # fmt: skip
        inodes.append((directory / f"{told.rev}.run").stat().st_ino)
        announcements.withdraw("/elsewhere", told.id)
        assert not list(list_announced(place))
    assert inodes[0] == inodes[1]
    announcements.withdraw_all()
    assert os.listdir(tmp_path / STANDALONE) == ["run"]


def test_what_is_announced_again_has_its_files_back(place: Place) -> None:
    announcements = Announcements(place, MARK)
    for number in (1, 2):
        announce(announcements, "/elsewhere", number, "first")
    for number in (1, 2):
        announcements.withdraw("/elsewhere", f"{number:08x}")
    for number in (1, 2):
        announce(announcements, "/elsewhere", number, f"again-{number}")
    assert {told.name for told in list_announced(place)} == {"again-1", "again-2"}
