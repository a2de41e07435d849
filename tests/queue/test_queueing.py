"""What is queued: the workspace as it is, without touching it, and safe from Git's housekeeping."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exprun.errors import GitError, ParamsError, RefConflict, UsageError
from exprun.git.tree import files_of
from exprun.model.experiment import ExperimentSpec, ReproOptions, Selection
from exprun.queue.attempts import Orchestrator
from exprun.queue.records import State
from exprun.runner.experiment import prepare
from exprun.runner.isolation import snapshot
from exprun.runner.queueing import queue_experiments
from exprun.runner.queues import tidy_queue
from tests.queue.conftest import REFS

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.runner.queueing import Queued
    from tests.queue.conftest import DvcProject


def spoil(project: DvcProject) -> None:
    """Put the workspace into a state that is hard to keep: staged, changed, untracked."""
    project.write("staged.txt", "staged\n")
    project.write("gone.txt", "gone\n")
    project.git("add", "staged.txt", "gone.txt")
    project.write("code.py", "two\n")
    project.git("add", "code.py")
    project.write("code.py", "three\n")
    (project.root / "gone.txt").unlink()
    project.write("untracked.txt", "untracked\n")
    project.write("secret.env", "TOKEN=1\n")
    project.write("data.bin", "data\n")
    project.write("data.bin.dvc", f"outs:\n- md5: {'a' * 32}\n  hash: md5\n  path: data.bin\n")
    project.git("add", "data.bin.dvc")


def state_of(project: DvcProject) -> dict[str, object]:
    """All that is the user's: files with modes and times, and what Git keeps beside objects."""
    found: dict[str, object] = {}
    for directory, below, names in os.walk(project.root):
        at = os.path.relpath(directory, project.root)
        if at in (".dvc", ".git"):
            below[:] = set(below) - {"tmp", "cache", "objects"}
        for name in names:
            path = os.path.join(directory, name)
            if REFS not in path:
                found[path] = (os.stat(path).st_mode, os.stat(path).st_mtime_ns, read(path))
    return found


def read(*parts: str) -> str:
    with open(os.path.join(*parts), errors="surrogateescape") as file:
        return file.read()


def tree_of(project: DvcProject, queued: Queued) -> str:
    return project.git("rev-parse", f"{queued.entry.commit}^{{tree}}")


def held(project: DvcProject) -> list[str]:
    return project.git("for-each-ref", "--format=%(refname)", REFS).split()


def test_the_tree_is_what_an_isolated_run_would_start_from(project: DvcProject) -> None:
    spoil(project)
    spec = ExperimentSpec(set_params=("lr=0.5", "model.name=large"), isolated=True)
    [queued] = queue_experiments(project.opened(), spec)
    opened = project.opened()
    with opened.store:
        assert tree_of(project, queued) == snapshot(opened, prepare(opened, spec))
    assert project.git("rev-parse", f"{queued.entry.commit}^@") == queued.entry.baseline
    shown = project.git("show", f"{queued.entry.commit}:params.yaml")
    assert shown == "lr: 0.5\nseed: 1\nmodel:\n  name: large  # of three"
    assert "md5: 6137cde4893c59f76f005a8123d8e8e6" in project.git(
        "show", f"{queued.entry.commit}:data.bin.dvc"
    )


def test_each_experiment_of_a_sweep_is_what_it_would_be_alone(project: DvcProject) -> None:
    spoil(project)
    sweep = project.enqueue("lr=0.5,0.6", "model.name=a,b")
    alone = [
        project.enqueue(f"lr={lr}", f"model.name={name}")[0]
        for lr in ("0.5", "0.6")
        for name in ("a", "b")
    ]
    assert [tree_of(project, each) for each in sweep] == [tree_of(project, one) for one in alone]
    assert [each.overrides for each in sweep] == [one.overrides for one in alone]
    assert [each.entry.fields for each in sweep] == [one.entry.fields for one in alone]


def test_what_a_target_needs_may_depend_on_the_swept_parameter(project: DvcProject) -> None:
    for name in ("a", "b"):
        project.write(f"{name}.txt", f"{name} as recorded\n")
        project.write(
            f"{name}.txt.dvc",
            f"outs:\n- md5: {name * 32}\n  hash: md5\n  path: {name}.txt\n",
        )
    project.write("params.yaml", "which: a\n")
    project.write(
        "dvc.yaml", "stages:\n  read:\n    cmd: cat ${which}.txt\n    deps:\n    - ${which}.txt\n"
    )
    project.commit_all()
    spec = ExperimentSpec(
        set_params=("which=a,b",), options=ReproOptions(selection=Selection(targets=("read",)))
    )
    changed = [
        project.git("diff", "--name-only", "HEAD", each.entry.commit, "--", "*.dvc")
        for each in queue_experiments(project.opened(), spec)
    ]
    assert changed == ["a.txt.dvc", "b.txt.dvc"]


@pytest.mark.parametrize("sweep", ["lr=0.5", "lr=0.5,0.6,0.7"])
def test_nothing_of_the_users_is_touched(project: DvcProject, sweep: str) -> None:
    spoil(project)
    before = state_of(project)
    project.enqueue(sweep)
    assert state_of(project) == before
    assert project.git("fsck", "--full", "--strict", "--no-dangling") == ""


def test_housekeeping_loses_nothing(project: DvcProject) -> None:
    spoil(project)
    queued = project.enqueue("lr=0.5,0.6,0.7") + project.enqueue("lr=0.8")
    project.git("stash", "--include-untracked")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("pack-refs", "--all", "--prune")
    project.git("gc", "--quiet", "--prune=now")
    assert [entry.id for entry in project.queue().entries()] == [one.entry.id for one in queued]
    for one in queued:
        project.git("cat-file", "-e", f"{one.entry.commit}:staged.txt")
    assert project.git("fsck", "--full", "--strict", "--no-dangling") == ""


def test_what_is_accepted_has_reached_the_disk(
    project: DvcProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def note(descriptor: int) -> None:
        synced.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), project.root))

    monkeypatch.setattr(os, "fsync", note)
    [queued] = queue_experiments(project.opened(), ExperimentSpec(set_params=("lr=1",)))
    pack, held, record = (
        max(number for number, path in enumerate(synced) if path == directory)
        for directory in (".git/objects/pack", f".git/{REFS[:-1]}", ".dvc/tmp/exprun/queue")
    )
    # The objects, then the ref that holds them, and last what tells of them.
    assert {path.split("_")[1] for path in synced[:pack]} == {"keep", "pack", "idx"}
    assert pack < held < record < len(synced)
    assert synced[-1] == ".dvc/tmp/exprun/queue/journal.jsonl"
    assert queued.entry.id in (project.root / synced[-1]).read_text()


def test_git_may_not_prune_what_no_ref_holds_yet(project: DvcProject) -> None:
    from exprun.git.packing import PackWriter

    objects = project.open().objects
    with PackWriter(objects, label=f"{REFS}test") as packed:
        oid = packed.write("blob", b"in flight")
        packed.sync()
        project.git("gc", "--quiet", "--prune=now")
        assert objects.contains(oid)
    project.git("gc", "--quiet", "--prune=now")
    assert not project.open().objects.contains(oid)


def test_when_nothing_needs_them_refs_and_packs_are_let_go(project: DvcProject) -> None:
    one, two = project.enqueue("lr=0.5,0.6")
    [other] = project.enqueue("lr=0.7")
    queue = project.queue()
    queue.remove([one.entry.id, other.entry.id])
    tidy_queue(project.opened())
    assert held(project) == [REFS + one.entry.batch]
    with Orchestrator(queue) as orchestrator:
        attempt = orchestrator.claim(two.entry.id)
        assert attempt is not None
        attempt.succeed("2" * 40)
    project.git("pack-refs", "--all")
    tidy_queue(project.opened())
    assert held(project) == []
    assert list((project.root / ".git/objects/pack").glob("*.keep")) == []
    assert [entry.state for entry in queue.entries()] == [State.SUCCESS]


def test_what_is_being_queued_is_not_tidied_away(project: DvcProject) -> None:
    project.write("secret.env", "TOKEN=1\n")
    spec = ExperimentSpec(set_params=("lr=0.5,0.6",), copy_paths=("secret.env",))
    queueing = queue_experiments(project.opened(), spec)
    first = next(queueing).entry
    project.queue().remove([first.id])
    tidy_queue(project.opened())
    second = next(queueing).entry
    assert list(queueing) == []
    tidy_queue(project.opened())
    assert held(project) == [REFS + second.batch]
    assert os.path.isfile(os.path.join(project.queue().copies_dir(second.batch), "secret.env"))


# Copied paths


def test_copied_paths_are_kept_as_they_were(project: DvcProject) -> None:
    project.write("secret.env", "TOKEN=1\n").chmod(0o600)
    project.write("sub/deep/tool.sh", "#!/bin/sh\n").chmod(0o755)
    (project.root / "sub/empty").mkdir()
    spec = ExperimentSpec(copy_paths=("secret.env", "./sub/deep", "sub/empty"))
    [queued] = queue_experiments(project.opened(), spec)
    project.write("secret.env", "TOKEN=2\n")
    shutil.rmtree(project.root / "sub")
    copies = project.queue().copies_dir(queued.entry.batch)
    assert queued.entry.spec.copy_paths == spec.copy_paths
    assert read(copies, "secret.env") == "TOKEN=1\n"
    assert os.stat(os.path.join(copies, "secret.env")).st_mode & 0o777 == 0o600
    assert os.access(os.path.join(copies, "sub/deep/tool.sh"), os.X_OK)
    assert os.path.isdir(os.path.join(copies, "sub/empty"))
    objects = project.open().objects
    assert "secret.env" not in files_of(objects, project.open().tree_of(queued.entry.commit))


@pytest.mark.parametrize("path", ["missing", "../outside", "/etc/hostname", ".", ".git/config"])
def test_a_path_that_cannot_be_copied_queues_nothing(
    project: DvcProject, tmp_path: Path, path: str
) -> None:
    (tmp_path / "outside").write_text("x")
    before = state_of(project)
    with pytest.raises(UsageError):
        list(queue_experiments(project.opened(), ExperimentSpec(copy_paths=(path,))))
    assert project.queue().entries() == []
    assert held(project) == []
    assert state_of(project) == before
    copies = project.root / ".dvc/tmp/exprun/queue/copies"
    assert not copies.exists() or list(copies.iterdir()) == []


# Refusals


@pytest.mark.parametrize("name", ["a/b", "-x", "HEAD", "f" * 40, "x" * 197, "a..b", "a.lock"])
def test_names_that_are_not_valid_queue_nothing(project: DvcProject, name: str) -> None:
    with pytest.raises(UsageError, match="invalid exp name"):
        project.enqueue("seed=range(0,200)" if len(name) > 100 else "lr=1", name=name)
    assert project.queue().entries() == []


def test_the_name_of_a_stored_experiment_is_refused_unless_forced(project: DvcProject) -> None:
    head = project.git("rev-parse", "HEAD")
    project.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/sweep-2", head)
    project.git("pack-refs", "--all")
    with pytest.raises(RefConflict, match="'sweep-2' exists already"):
        project.enqueue("lr=1,2,3", name="sweep")
    assert project.queue().entries() == [] and held(project) == []
    spec = ExperimentSpec(name="sweep", set_params=("lr=1,2,3",), options=ReproOptions(force=True))
    queued = list(queue_experiments(project.opened(), spec))
    assert [each.entry.name for each in queued] == ["sweep-1", "sweep-2", "sweep-3"]
    assert all(each.entry.spec.options.force for each in queued)


def test_bad_requests_queue_nothing(project: DvcProject) -> None:
    for error, spec in (
        (UsageError, ExperimentSpec(set_params=("unknown=1",))),
        (UsageError, ExperimentSpec(set_params=("lr=1,2", "unknown=1"))),
        (UsageError, ExperimentSpec(set_params=("new.yaml:+a=1", "code.py:lr=1"))),
        (ParamsError, ExperimentSpec(set_params=("missing.py:lr=1",))),
        (
            UsageError,
            ExperimentSpec(options=ReproOptions(selection=Selection(targets=("unknown",)))),
        ),
        (UsageError, ExperimentSpec(options=ReproOptions(interactive=True))),
    ):
        with pytest.raises(error):
            list(queue_experiments(project.opened(), spec))
    assert project.queue().entries() == [] and held(project) == []


def test_unresolved_conflicts_are_refused(project: DvcProject) -> None:
    oid = project.git("rev-parse", "HEAD:code.py")
    project.git("update-index", "--index-info", stdin=f"100644 {oid} 2\tcode.py\n".encode())
    with pytest.raises(GitError, match="unresolved conflicts"):
        project.enqueue("lr=1")


# Elsewhere


def test_from_a_directory_of_a_project_below_the_worktree(project: DvcProject) -> None:
    from exprun.runner.opening import open_project

    for path in (".dvc/config", "dvc.yaml"):
        project.write(f"sub/{path}", (project.root / path).read_text())
    project.write("sub/params.yaml", "lr: 1\n")
    project.write("sub/code.py")
    project.write("sub/deep/own.yaml", "x: 1\n")
    project.commit_all()
    opened = open_project(str(project.root / "sub/deep"), env=project.env, warn=print)
    spec = ExperimentSpec(
        set_params=("own.yaml:x=2",),
        options=ReproOptions(selection=Selection(cwd=opened.place.cwd, targets=("../dvc.yaml",))),
    )
    [queued] = queue_experiments(opened, spec)
    assert project.git("diff", "--name-only", "HEAD", queued.entry.commit) == "sub/deep/own.yaml"
    assert queued.entry.spec.options.selection.cwd == "deep"


def test_a_linked_worktree_has_a_queue_of_its_own(project: DvcProject, tmp_path: Path) -> None:
    from exprun.runner.opening import open_project

    project.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = open_project(str(tmp_path / "linked"), env=project.env, warn=print)
    [queued] = queue_experiments(linked, ExperimentSpec(set_params=("lr=7",)))
    assert project.queue().entries() == []
    assert held(project) == []
    [ref] = project.git("for-each-ref", "--format=%(refname)", "refs/exprun").split()
    assert ref.endswith(f"/{queued.entry.batch}")


def test_it_is_what_dvc_queues(project: DvcProject) -> None:
    project.write("code.py", "two\n")
    project.write("staged.txt", "staged\n")
    project.git("add", "staged.txt")
    project.write("data.bin", "data\n")
    project.write("data.bin.dvc", f"outs:\n- md5: {'a' * 32}\n  hash: md5\n  path: data.bin\n")
    project.git("add", "data.bin.dvc")
    arguments = ["-S", "lr=1e-4,0.20", "-S", "model.name=choice(x)", "-n", "s"]
    ours = [
        (each.entry.name, dict(each.overrides), tree_of(project, each))
        for each in project.enqueue(*arguments[1:4:2], name="s")
    ]
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "run", "--queue", *arguments],
        cwd=project.root, env=project.env, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [
        line
        for name, overrides, _ in ours
        for line in (
            f"Queueing with overrides '{overrides}'.",
            f"Queued experiment '{name}' for future execution.",
        )
    ]
    assert [line for line in done.stdout.splitlines() if line.startswith("Queue")] == said
    theirs = project.git("log", "-g", "--format=%H", "refs/exps/celery/stash").split()
    for (_, _, tree), stash in zip(ours, reversed(theirs), strict=True):
        assert project.git("diff", "--name-only", tree, stash) == ".dvc/tmp/repro.dat"
