from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from exprun.project.root import Place
from exprun.runner.announcing import Announcements, list_announced
from exprun.runner.presence import present
from exprun.runner.slots import SlotPool

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


def test_what_runs_is_told_until_it_has_ended(place: Place, tmp_path: Path) -> None:
    announcements = Announcements(place, MARK)
    for number, name in enumerate(["one-with-a-long-name", "two"]):
        announce(announcements, "/elsewhere", number, name)
        announcements.tell()
        announcements.tell()
        [told] = list_announced(place)
        assert (told.name, told.log_dir, told.root) == (name, f"logs/{name}", "/elsewhere")
        directory = tmp_path / STANDALONE / "run" / told.rev
        assert {file.name for file in directory.iterdir()} == {
            "exprun", f"{told.rev}.run", f"{told.rev}.json",
        }  # fmt: skip
        announcements.withdraw("/elsewhere", told.id)
        assert not list(list_announced(place))
    assert os.listdir(tmp_path / STANDALONE) == ["run"]


def test_of_several_those_that_have_not_ended_are_told(place: Place) -> None:
    announcements = Announcements(place, MARK)
    for number, name in enumerate(["over", "lasts"]):
        announce(announcements, f"/elsewhere/{number}", number, name)
    assert announcements.are_waiting
    announcements.tell()
    assert announcements.are_waiting
    assert not list(list_announced(place))
    announcements.withdraw("/elsewhere/0", f"{0:08x}")
    announcements.tell()
    assert not announcements.are_waiting
    assert [told.name for told in list_announced(place)] == ["lasts"]
    announcements.withdraw_all()
    assert not list(list_announced(place))


def test_a_slot_is_not_held_by_who_could_not_take_it(place: Place) -> None:
    announcements = Announcements(place, MARK)
    announce(announcements, "/elsewhere", 1, "e")
    announcements.tell()
    announcements.tell()
    mark = os.path.join(place.running_dir, MARK)
    os.rename(mark, f"{mark}.aside")
    os.mkdir(mark)  # Whether its owner lives cannot be told.
    pool = SlotPool(place, pytest.fail)

    with pytest.raises(IsADirectoryError):
        pool.take()

    os.rmdir(mark)
    os.rename(f"{mark}.aside", mark)
    with SlotPool(place, pytest.fail).take() as slot:
        assert slot.number == 0
