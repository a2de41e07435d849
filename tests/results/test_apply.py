"""``exprun apply`` beside ``dvc exp apply``, and taking it back."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.results.projects import RICH, SMALL
from tests.support.project import Delete, Git, MakeDirectory, Symlink, Write, perform
from tests.support.snapshot import Snapshot, take_snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Action, Builder
    from tests.support.tools import Tool

EDITS: dict[str, tuple[Action, ...]] = {
    "clean": (),
    "edited": (Write("params.yaml", "lr: 7\n"), Write("in.txt", "other\n")),
    "untracked": (Write("notes.txt", "mine\n"), Write("loose/inner.txt", "too\n")),
    "in the way": (Write("new.txt", "not the stage's\n"), Write("model", "by hand\n")),
    "deleted": (Delete("kept.txt"), Delete("dir/deep/file.txt")),
    "ignored": (Write("ignored.txt", "stays\n"),),
}


def prepared(place: Place, actions: Sequence[Action], tool: Tool) -> None:
    for number, action in enumerate(actions):
        perform(action, place, tool=tool, dvc_tool=tool, at=number)


def git(place: Place, *args: str) -> str:
    done = subprocess.run(
        ["git", *args], cwd=place.repo, env=place.environ(), capture_output=True, check=True,
        text=True, timeout=30,
    )  # fmt: skip
    return done.stdout


def without_empty_directories(snapshot: Snapshot) -> dict[str, object]:
    """Git does not know them, so they do not come back."""
    return {k: v for k, v in snapshot.files.items() if v != {"is": "empty directory"}}


def applied(tool: Tool, place: Place, *args: str) -> str:
    command = ("exp", "apply") if tool.name == "dvc" else ("apply",)
    done = tool.run((*command, *args), place=place)
    assert done.code == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("edits", EDITS)
def test_the_workspace_is_what_dvc_makes_it_and_comes_back(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool, edits: str
) -> None:
    theirs, ours = (builder.build(SMALL, into=tmp_path / name) for name in ("dvc", "exprun"))
    for place in (theirs, ours):
        prepared(place, EDITS[edits], dvc)
    before = take_snapshot(ours)
    index = git(ours, "ls-files", "--stage")

    applied(dvc, theirs, "small")
    said = applied(exprun, ours, "small")

    expected, found = take_snapshot(theirs), take_snapshot(ours)
    assert found.files == expected.files
    assert (found.head, found.status) == (expected.head, expected.status)
    assert git(ours, "ls-files", "--stage") == index
    assert "exprun apply --undo" in said

    applied(exprun, ours, "--undo")

    again = take_snapshot(ours)
    assert without_empty_directories(again) == without_empty_directories(before)
    assert (again.head, again.status, again.index) == (before.head, before.status, before.index)

    applied(exprun, ours, "--undo")
    assert take_snapshot(ours).files == found.files, "undoing can be undone"


def test_links_stay_links(builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool) -> None:
    """DVC writes the text of `link` into a file, and what `kept.txt` held into in.txt."""
    place = builder.build(SMALL, into=tmp_path / "place")
    prepared(place, (Symlink("link", "in.txt"), Delete("kept.txt"), Symlink("kept.txt", "q")), dvc)

    applied(exprun, place, "small")

    assert os.readlink(place.repo / "link") == "in.txt"
    assert (place.repo / "kept.txt").read_text() == "kept\n"
    assert (place.repo / "in.txt").read_text() == "in\n"

    applied(exprun, place, "--undo")
    assert os.readlink(place.repo / "kept.txt") == "q"


def test_staged_changes_stay_staged(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(SMALL, into=tmp_path / "place")
    prepared(place, (Write("in.txt", "staged\n"), Git(("add", "in.txt"))), dvc)

    applied(exprun, place, "small")

    assert git(place, "diff", "--cached", "--name-only") == "in.txt\n"
    assert (place.repo / "in.txt").read_text() == "in\n"
    assert (place.repo / "params.yaml").read_text() == "lr: 2\n"


def test_data_comes_out_of_the_cache(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    theirs, ours = (builder.build(RICH, into=tmp_path / name) for name in ("dvc", "exprun"))

    applied(dvc, theirs, "one")
    applied(exprun, ours, "one")

    assert take_snapshot(ours).files == take_snapshot(theirs).files


def test_changed_outputs_are_not_lost(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(RICH, into=tmp_path / "place")
    prepared(place, (Delete("model"), Write("model", "only here\n")), dvc)

    applied(exprun, place, "one")
    assert (place.repo / "model").read_text() == "hi\n"

    applied(exprun, place, "--undo")
    assert (place.repo / "model").read_text() == "only here\n"


def test_of_what_was_kept_long_ago_only_the_last_stay(
    builder: Builder, tmp_path: Path, exprun: Tool
) -> None:
    place = builder.build(SMALL, into=tmp_path / "place")
    recent = git(place, "commit-tree", "HEAD^{tree}", "-m", "kept").strip()
    old = subprocess.run(
        ["git", "commit-tree", "HEAD^{tree}", "-m", "kept"], cwd=place.repo, capture_output=True,
        env=place.environ() | {"GIT_COMMITTER_DATE": "@1000000000 +0000"}, check=True, text=True,
    ).stdout.strip()  # fmt: skip
    for number in range(1, 13):
        git(place, "update-ref", f"refs/exprun/apply/{number:06}", recent if number == 2 else old)
    git(place, "pack-refs", "--all")

    applied(exprun, place, "small")

    kept = git(place, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/exprun/apply").split()
    assert [int(number) for number in kept] == [2, *range(4, 14)]
    applied(exprun, place, "--undo")


def test_missing_data_is_told_and_fails(builder: Builder, tmp_path: Path, exprun: Tool) -> None:
    place = builder.build(SMALL, into=tmp_path / "place")
    for directory, _, names in os.walk(place.repo / ".dvc/cache/files"):
        for name in names:
            os.unlink(os.path.join(directory, name))

    done = exprun.run(("apply", "small"), place=place)

    assert done.code == 1
    assert "'model' is not checked out" in done.stderr
    assert (place.repo / "params.yaml").read_text() == "lr: 2\n"


def test_a_lock_cut_short_does_not_stand_in_the_way(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(SMALL, into=tmp_path / "place")
    prepared(place, (Write("dvc.lock", ""), Write("model", "mine\n")), dvc)

    applied(exprun, place, "small")
    assert (place.repo / "dvc.lock").read_text().startswith("schema: '2.0'\n")

    undone = exprun.run(("apply", "--undo"), place=place)
    assert (undone.code, undone.stderr) == (1, "WARNING: dvc.lock: the key 'schema' is missing\n")
    assert (place.repo / "dvc.lock").read_text() == ""
    assert (place.repo / "model").read_text() == "mine\n"


def test_an_ignored_directory_in_the_way_changes_nothing(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(SMALL, into=tmp_path / "place")
    prepared(
        place,
        (Write(".git/info/exclude", "new.txt\n"), MakeDirectory("new.txt"), Write("new.txt/x", "")),
        dvc,
    )
    before = take_snapshot(place)

    done = exprun.run(("apply", "small"), place=place)

    assert done.code == 2
    assert "'new.txt' is in the way" in done.stderr
    assert take_snapshot(place) == before


def test_what_cannot_be_applied_is_refused(builder: Builder, tmp_path: Path, exprun: Tool) -> None:
    place = builder.build(SMALL, into=tmp_path / "place")
    for args, words in (
        (("nobody",), "unknown Git revision 'nobody'"),
        (("--undo",), "no experiment was applied here"),
        ((), "name an experiment"),
    ):
        done = exprun.run(("apply", *args), place=place)
        assert done.code == 2
        assert words in done.stderr
