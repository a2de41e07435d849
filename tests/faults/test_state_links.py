"""Links where exprun keeps its state: a repository that brings them destroys nothing elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.program import experiments, git, make_project, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place

PIPELINE = "stages:\n  s: {cmd: echo > o, outs: [o]}\n"
SLOT_ROOT = ".dvc/tmp/exps/exprun/0/root"
LINKS = (
    ".dvc/tmp",
    ".dvc/tmp/exprun",
    ".dvc/tmp/exprun/logs",
    ".dvc/tmp/exprun/queue",
    ".dvc/tmp/exprun/queue/alive",
    ".dvc/tmp/exprun/queue/copies",
    ".dvc/tmp/exprun/queue/logs",
    ".dvc/tmp/exprun/running",
    ".dvc/tmp/exps",
    ".dvc/tmp/exps/exprun",
    ".dvc/tmp/exps/exprun/0",
    SLOT_ROOT,
    ".dvc/tmp/exps/standalone",
)
COMMANDS = (
    ("run", "--queue", "-n", "queued"),
    ("run", "--run-all"),
    ("run", "--temp", "-n", "elsewhere"),
    ("run", "-n", "here"),
    ("show",),
    ("queue", "remove", "--all"),
)


def _make_old_files(directory: Path) -> list[str]:
    """Some of what a user may have, under names that exprun uses itself."""
    for name in (".profile", "notes", "logs/run", "0/state", "0/root/file", "root/file"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("precious\n")
        os.utime(directory / name, (0, 0))
    return _files(directory)


def _files(directory: Path) -> list[str]:
    return sorted(str(path) for path in directory.rglob("*"))


@pytest.mark.parametrize("link", LINKS)
def test_nothing_behind_a_link_is_touched(place: Place, link: str) -> None:
    make_project(place, PIPELINE)
    home = place.root / "precious"
    before = _make_old_files(home)
    (place.repo / link).parent.mkdir(parents=True, exist_ok=True)
    (place.repo / link).symlink_to(home)
    git(place, "add", "--force", link)
    git(place, "commit", "--quiet", "-m", "hostile")

    ended = [run(place, *command) for command in COMMANDS]

    assert _files(home) == before
    if link == SLOT_ROOT:  # It stands where something old is replaced.
        assert experiments(place) == ["elsewhere", "here", "queued"]
    else:
        assert {each.code for each in ended[:-1]} == {2}, ended
        assert all(" is a link" in each.stderr for each in ended[:-1])


def test_the_users_own_link_to_another_disk_is_welcome(place: Place) -> None:
    make_project(place, PIPELINE)
    (place.root / "disk").mkdir()
    (place.repo / ".dvc/tmp").symlink_to(place.root / "disk")

    ended = [run(place, *command) for command in COMMANDS]

    assert [each.code for each in ended] == [0] * len(COMMANDS), ended
    assert experiments(place) == ["elsewhere", "here", "queued"]
