from __future__ import annotations

import os
import signal
import threading
import warnings
from typing import TYPE_CHECKING

import pytest

from exprun.errors import GitError, RefConflict, UsageError
from exprun.git.experiment_refs import (
    ExperimentRef,
    find_experiment,
    list_experiments,
    parse_experiment_ref,
)
from exprun.git.refs import RefEdit, RefStore
from exprun.git.sharing import Sharing
from tests.support.dying import die_at

if TYPE_CHECKING:
    from tests.git.project import GitProject

BASE = "ab" + "0" * 38
OTHER = "cd" + "1" * 38


def commits(project: GitProject) -> tuple[str, str]:
    return project.commit_all("one"), project.commit_all("two")


def test_written_refs_are_git_s(project: GitProject) -> None:
    one, two = commits(project)
    refs = project.open().refs
    name = "refs/exps/ab/cd/é"
    refs.write(name, one, expected=None)
    assert project.git("rev-parse", name) == one
    project.git("pack-refs", "--all", "--prune")
    assert refs.read(name) == one
    refs.write(name, two, expected=one)
    assert project.git("rev-parse", name) == refs.read(name) == two
    assert not (project.root / ".git/logs/refs/exps").exists()


def test_a_changed_ref_is_not_overwritten(project: GitProject) -> None:
    one, two = commits(project)
    refs = project.open().refs
    name = "refs/exps/ab/cd/x"
    for packed in (False, True):
        project.git("update-ref", name, one)
        if packed:
            project.git("pack-refs", "--all", "--prune")
        for expected in (None, two):
            with pytest.raises(RefConflict, match="not at"):
                refs.write(name, two, expected=expected)
    assert refs.read(name) == one
    assert not (project.root / ".git" / f"{name}.lock").exists()


def test_a_lock_that_cannot_be_set_up_is_let_go(project: GitProject) -> None:
    one, _ = commits(project)

    def no_git() -> str:
        raise GitError("there is no git command")

    with pytest.raises(GitError, match="no git command"):
        RefStore(str(project.root / ".git"), Sharing(no_git)).write("refs/x", one, expected=None)

    project.open().refs.write("refs/x", one, expected=None)
    assert not list((project.root / ".git").glob("*.lock"))


def test_of_many_creators_one_wins(project: GitProject) -> None:
    one, _ = commits(project)
    won: list[int] = []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        refs = project.open().refs
        start.wait()
        try:
            refs.write("refs/exps/ab/cd/race", one, expected=None)
            won.append(number)
        except RefConflict:
            pass

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_obstacles(project: GitProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exprun.git.lockfile._WAIT_S", 0.05)
    one, _ = commits(project)
    refs = project.open().refs
    git_dir = project.root / ".git"
    refs.write("refs/exps/ab/cd", one, expected=None)
    with pytest.raises(RefConflict, match="below another ref"):
        refs.write("refs/exps/ab/cd/x", one, expected=None)
    with pytest.raises(RefConflict, match="refs below refs/exps/ab exist"):
        refs.write("refs/exps/ab", one, expected=None)
    (git_dir / "refs/exps/gone/deep").mkdir(parents=True)
    refs.write("refs/exps/gone", one, expected=None)
    (git_dir / "refs/exps/held.lock").touch()
    with pytest.raises(RefConflict, match="is locked") as caught:
        refs.write("refs/exps/held", one, expected=None)
    assert "held.lock" in (caught.value.hint or "")


def test_the_dead_hold_no_lock(project: GitProject) -> None:
    one, two = commits(project)
    refs = project.open().refs
    name = "refs/exps/ab/cd"
    old = "refs/exps/old"
    refs.write(name, one, expected=None)
    for step in range(1, 100):
        refs.write(old, two, expected=refs.read(old))
        project.git("pack-refs", "--all")
        edits = [RefEdit(name, one, two), RefEdit(old, two, None)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                die_at(step)
                refs.change(edits)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert status in (0, signal.SIGKILL)
        now = refs.read(name)
        assert now in {one, two}
        assert project.git("rev-parse", name) == now
        refs.change([RefEdit(name, now, one), RefEdit(old, refs.read(old), None)])
        assert (refs.read(name), refs.read(old)) == (one, None)
        locks = (project.root / ".git").rglob("*.lock")
        assert [path for path in locks if not path.name.startswith("exprun-")] == []
        if status == 0:
            break
    assert step > 10


def test_broken_refs_harm_only_themselves(project: GitProject) -> None:
    one, _ = commits(project)
    refs = project.open().refs
    directory = project.root / ".git/refs/exps/ab/cd"
    directory.mkdir(parents=True)
    (directory / "torn").write_bytes(b"")
    (directory / "binary").write_bytes(b"\xff\xfe")
    (directory / "circle").write_text("ref: refs/exps/ab/cd/circle\n")
    (directory / "good").write_text(one + "\n")
    (directory / "linked").write_text("ref: refs/heads/main\n")
    told: list[str] = []
    assert list(refs.iterate("refs/exps/", warn=told.append)) == [
        ("refs/exps/ab/cd/good", one),
        ("refs/exps/ab/cd/linked", project.git("rev-parse", "main")),
    ]
    assert [warning.split()[1] for warning in told] == [
        f"refs/exps/ab/cd/{name}" for name in ("binary", "circle", "torn")
    ]
    with pytest.raises(GitError, match="circle"):
        refs.read("refs/exps/ab/cd/circle")


def test_packed_refs_that_lie_elsewhere_stay_there(project: GitProject) -> None:
    """As Git, which follows a link, and locks what it leads to."""
    one, _ = commits(project)
    for name in "ab":
        project.git("update-ref", f"refs/exps/ab/cd/{name}", one)
    project.git("pack-refs", "--all", "--prune")
    link = project.root / ".git/packed-refs"
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    target = link.rename(elsewhere / "packed")
    link.symlink_to(target)
    refs = project.open().refs
    lock = target.with_name("packed.lock")
    lock.touch()
    with pytest.raises(RefConflict, match="is locked"):
        refs.change([RefEdit("refs/exps/ab/cd/a", one, None)])
    lock.unlink()
    refs.change([RefEdit("refs/exps/ab/cd/a", one, None)])
    assert link.is_symlink()
    assert os.listdir(elsewhere) == ["packed"]
    assert project.git("for-each-ref", "--format=%(refname)", "refs/exps") == "refs/exps/ab/cd/b"


def test_refs_that_are_packed_meanwhile_are_listed(project: GitProject) -> None:
    commit, _ = commits(project)
    names = [f"refs/exps/ab/{name}/x" for name in "ac"]
    for name in names:
        project.git("update-ref", name, commit)
    broken = project.write(".git/refs/exps/ab/b/broken", "nonsense")

    def pack(_: str) -> None:
        broken.unlink()
        project.git("pack-refs", "--all")

    found = list(project.open().refs.iterate("refs/exps/", warn=pack))
    assert found == [(name, commit) for name in names]
    assert not broken.exists()


@pytest.mark.parametrize(
    "ref",
    [
        "refs/exps/stash", "refs/exps/celery/stash", "refs/exps/exec/EXEC_HEAD", "refs/heads/main",
        "refs/exps/foo", f"refs/exps/{BASE[:2]}/{BASE[2:]}", "refs/exps/temp/a/b",
        f"refs/exps/{BASE[:2]}/{BASE[2:]}/a/b", "refs/exps/xy/z/name", "refs/exps/apply/x/y",
    ],
)  # fmt: skip
def test_other_refs_are_no_experiments(ref: str) -> None:
    assert parse_experiment_ref(ref) is None


def test_finding_experiments(project: GitProject) -> None:
    one, two = commits(project)
    for ref, commit in {
        ExperimentRef(BASE, "both"): one,
        ExperimentRef(OTHER, "both"): two,
        ExperimentRef(OTHER, "single"): two,
    }.items():
        project.git("update-ref", str(ref), commit)
    project.git("update-ref", "refs/exps/exec/EXEC_HEAD", one)
    project.git("pack-refs", "--all")
    refs = project.open().refs
    assert [str(ref) for ref, _ in list_experiments(refs)] == sorted(
        line for line in project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
        if "EXEC" not in line
    )  # fmt: skip
    assert [ref.name for ref, _ in list_experiments(refs, baseline=OTHER)] == ["both", "single"]
    assert find_experiment(refs, "single", head=BASE) == (ExperimentRef(OTHER, "single"), two)
    assert find_experiment(refs, "both", head=BASE) == (ExperimentRef(BASE, "both"), one)
    assert find_experiment(refs, str(ExperimentRef(OTHER, "both")), head=BASE) == (
        ExperimentRef(OTHER, "both"),
        two,
    )
    assert find_experiment(refs, "nothing", head=BASE) is None
    with pytest.raises(UsageError, match="ambiguous experiment name 'both'"):
        find_experiment(refs, "both", head=one)


def test_a_change_of_several_refs_is_all_or_nothing(project: GitProject) -> None:
    first, second = commits(project)
    refs = project.open().refs
    project.git("update-ref", "refs/exps/aa/bb/packed", first)
    project.git("pack-refs", "--all")
    refs.write("refs/exps/aa/bb/loose", first, expected=None)

    with pytest.raises(RefConflict):
        refs.change(
            [
                RefEdit("refs/exps/aa/bb/packed", first, None),
                RefEdit("refs/exps/aa/bb/loose", second, None),
            ]
        )
    assert len(dict(refs.iterate("refs/exps/"))) == 2

    refs.change(
        [
            RefEdit("refs/exps/aa/bb/packed", first, None),
            RefEdit("refs/exps/aa/bb/loose", first, None),
            RefEdit("refs/exps/cc/dd/new", None, first),
        ]
    )

    assert dict(refs.iterate("refs/exps/")) == {"refs/exps/cc/dd/new": first}
    assert not (project.root / ".git/refs/exps/aa").exists()
    assert not list((project.root / ".git").rglob("*.lock"))
    assert "refs/heads" in project.git("for-each-ref")
