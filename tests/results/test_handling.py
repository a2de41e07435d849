"""``exprun list``, ``remove``, ``rename`` and ``branch`` beside DVC's."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.results.projects import RICH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Builder
    from tests.support.tools import Tool


@pytest.fixture
def rich(builder: Builder, tmp_path: Path) -> Place:
    return builder.build(RICH, into=tmp_path / "place")


def git(place: Place, *args: str) -> str:
    done = subprocess.run(
        ["git", *args], cwd=place.repo, env=place.environ(), capture_output=True, check=True,
        text=True, timeout=30,
    )  # fmt: skip
    return done.stdout


def names(tool: Tool, place: Place) -> set[str]:
    command = ("exp", "list") if tool.name == "dvc" else ("list",)
    return set(tool.run((*command, "-A", "--name-only"), place=place).stdout.split())


@pytest.mark.parametrize(
    "args", [(), ("-A",), ("-n", "-1"), ("--rev", "v1"), ("--sha-only",)], ids=" ".join
)
def test_the_list_is_that_of_dvc(
    rich: Place, dvc: Tool, exprun: Tool, args: tuple[str, ...]
) -> None:
    theirs = dvc.run(("exp", "list", *args), place=rich).stdout
    ours = exprun.run(("list", *args), place=rich).stdout

    # DVC's order is that of a set.
    assert sorted(ours.splitlines()) == sorted(theirs.splitlines())


def test_removing_packed_and_loose_refs(rich: Place, dvc: Tool, exprun: Tool) -> None:
    git(rich, "pack-refs", "--all")
    exprun.run(("rename", "two", "again"), place=rich)

    done = exprun.run(("remove", "again", "one"), place=rich)

    assert done.stdout == "Removed experiments: 'again' and 'one'\n"
    assert names(dvc, rich) == names(exprun, rich) == {"three"}
    assert "v1" in git(rich, "tag")
    git(rich, "fsck", "--strict")


def test_an_unknown_name_removes_nothing(rich: Place, exprun: Tool) -> None:
    done = exprun.run(("remove", "one", "nobody"), place=rich)

    assert done.code == 2
    assert "could not find experiment 'nobody'" in done.stderr
    assert names(exprun, rich) == {"one", "two", "three"}
    assert exprun.run(("remove",), place=rich).code == 2


@pytest.mark.parametrize(
    ("args", "left"),
    [
        (("--rev", "HEAD"), {"one"}),
        (("--rev", "HEAD", "-n", "2"), set()),
        (("--rev", "HEAD", "--keep"), {"two", "three"}),
        (("-A",), set()),
        (("two", "--keep"), {"two"}),
    ],
)
def test_removing_by_baseline(
    rich: Place, exprun: Tool, args: tuple[str, ...], left: set[str]
) -> None:
    assert exprun.run(("remove", *args), place=rich).code == 0

    assert names(exprun, rich) == left


def test_removing_what_dvc_applied_forgets_that(rich: Place, dvc: Tool, exprun: Tool) -> None:
    dvc.run(("exp", "apply", "two"), place=rich)
    assert "EXEC_APPLY" in git(rich, "for-each-ref", "refs/exps/exec")

    exprun.run(("remove", "two"), place=rich)

    assert "EXEC_APPLY" not in git(rich, "for-each-ref", "refs/exps/exec")


def test_renaming(rich: Place, dvc: Tool, exprun: Tool) -> None:
    before = git(rich, "rev-list", "-1", "--glob", "refs/exps/*/*/two")

    assert exprun.run(("rename", "two", "three"), place=rich).code == 2
    assert exprun.run(("rename", "two", "a/b"), place=rich).code == 2
    assert exprun.run(("rename", "nobody", "x"), place=rich).code == 2
    done = exprun.run(("rename", "-f", "two", "three"), place=rich)

    assert done.stdout == "Renamed experiments: 'two'\n"
    assert names(dvc, rich) == {"one", "three"}
    assert git(rich, "rev-list", "-1", "--glob", "refs/exps/*/*/three") == before


def test_no_name_is_given_that_a_queued_experiment_will_need(rich: Place, exprun: Tool) -> None:
    assert exprun.run(("run", "--queue", "-n", "waits", "-S", "lr=3"), place=rich).code == 0

    refused = exprun.run(("rename", "two", "waits"), place=rich)

    assert refused.code == 2
    assert "'waits'" in refused.stderr
    assert "[two]" in exprun.run(("list",), place=rich).stdout
    assert exprun.run(("rename", "-f", "two", "waits"), place=rich).code == 0


def test_branching(rich: Place, exprun: Tool) -> None:
    done = exprun.run(("branch", "one"), place=rich)

    assert "git checkout one-branch" in done.stdout
    tip = git(rich, "rev-parse", "one-branch")
    assert tip in exprun.run(("list", "-A", "--sha-only"), place=rich).stdout
    for args in (("one",), ("one", "a..b"), ("nobody",), ("main",)):
        assert exprun.run(("branch", *args), place=rich).code == 2
    assert exprun.run(("branch", tip.strip(), "deep/name"), place=rich).code == 0
    (rich.repo / ".git/refs/heads/locked.lock").touch()
    for taken in ("deep", "deep/name/more", "locked"):
        refused = exprun.run(("branch", "one", taken), place=rich)
        assert refused.code == 2
        assert " exists" in refused.stderr


def test_a_branch_that_cannot_be_written_is_no_bad_request(rich: Place, exprun: Tool) -> None:
    shutil.rmtree(rich.repo / ".git/logs/refs/heads")
    (rich.repo / ".git/logs/refs/heads").touch()

    failed = exprun.run(("branch", "one", "new"), place=rich)

    assert failed.code == 3
    assert "cannot make the branch 'new': git update-ref failed: " in failed.stderr


def test_branching_runs_no_hook(rich: Place, exprun: Tool) -> None:
    hook = rich.repo / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    assert exprun.run(("branch", "one", "new"), place=rich).code == 0
    assert git(rich, "rev-parse", "new") == git(rich, "rev-parse", _ref_of(rich, "one"))


def _ref_of(place: Place, name: str) -> str:
    refs = git(place, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return next(ref for ref in refs if ref.endswith(f"/{name}"))
