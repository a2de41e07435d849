from __future__ import annotations

import errno
import os
import re
import threading
from typing import TYPE_CHECKING

import pytest
from dulwich.objects import Commit
from dulwich.porcelain import commit as dulwich_commit
from dulwich.repo import Repo

from exprun.errors import GitError, RefConflict, UsageError
from exprun.git.config import GitConfig, Setting
from exprun.git.experiment_refs import ExperimentRef
from exprun.git.experiments import (
    check_name_is_free,
    default_message,
    publish,
    write_commit,
)
from exprun.git.identity import Signature, signature, zone_offset
from exprun.git.objects import Pruned
from exprun.git.tree import FILE, Entry, edit_tree
from exprun.results.history import History

if TYPE_CHECKING:
    from exprun.git.repository import Repository
    from tests.git.project import GitProject

ME = Signature(name="Mé", email="me@example.com", time=1795448798, offset=-19800)


def experiment(repository: Repository, baseline: str, content: bytes) -> str:
    objects = repository.objects
    entry = Entry(FILE, objects.write("blob", content))
    tree = edit_tree(objects, repository.tree_of(baseline), {"d/new": entry})
    return write_commit(
        repository,
        tree=tree,
        parent=baseline,
        message=default_message("0" * 64),
        author=ME,
        committer=ME,
    )


def test_the_commit_is_what_git_makes_of_it(project: GitProject) -> None:
    project.write("d/a", "1")
    head = project.commit_all()
    ours = experiment(project.open(), head, b"x")
    env = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in {"NAME": ME.name, "EMAIL": ME.email, "DATE": "1795448798 -0530"}.items()
    }
    message = default_message("0" * 64).encode()
    tree = project.git("rev-parse", f"{ours}^{{tree}}")
    assert ours == project.git("commit-tree", tree, "-p", head, stdin=message, env=env)
    assert project.git("diff", "--name-status", head, ours) == "A\td/new"
    project.git("fsck", "--strict")


def test_publishing(project: GitProject) -> None:
    project.write("d/a", "1")
    head = project.commit_all()
    repository = project.open()
    ref = ExperimentRef(head, "e1")
    check_name_is_free(repository, ref)
    first = experiment(repository, head, b"x")
    assert publish(repository, ref, first).created
    with pytest.raises(RefConflict, match="experiment conflicts with existing experiment 'e1'"):
        check_name_is_free(repository, ref)
    tree = repository.tree_of(first)
    other = write_commit(
        repository, tree=tree, parent=head, message="other", author=ME, committer=ME
    )
    kept = publish(repository, ref, other)
    assert (kept.created, kept.commit) == (False, first)
    different = experiment(repository, head, b"y")
    with pytest.raises(RefConflict, match="'e1'") as caught:
        publish(repository, ref, different)
    assert "-f" in (caught.value.hint or "")
    assert publish(repository, ref, different, replace=True).created
    assert project.git("rev-parse", str(ref)) == different
    assert project.git("log", "--all", "--format=%s", "--exclude=refs/exps/*") != ""
    assert project.git("status", "--porcelain") == ""


@pytest.mark.parametrize("is_synced", [False, True])
def test_what_was_pruned_gets_no_ref(project: GitProject, is_synced: bool) -> None:
    project.write("d/a", "1")
    head = project.commit_all()
    repository = project.open()
    ref = ExperimentRef(head, "e1")
    commit = experiment(repository, head, b"x")
    if is_synced:
        repository.objects.sync()
    project.git("prune", "--expire=now")
    with pytest.raises(Pruned, match="e1 has gone"):
        publish(repository, ref, commit)
    assert repository.refs.read(str(ref)) is None
    commit = experiment(repository, head, b"x")
    assert publish(repository, ref, commit).created
    project.git("prune", "--expire=now")
    project.git("fsck", "--strict")
    assert project.git("show", f"{ref}:d/new") == "x"


@pytest.mark.parametrize("others", [0, 30])
@pytest.mark.parametrize("has_threads", [True, False])
def test_everything_is_synced_before_the_ref(
    project: GitProject, monkeypatch: pytest.MonkeyPatch, others: int, has_threads: bool
) -> None:
    project.write("d/a", "1")
    head = project.commit_all()
    synced: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    repository = project.open()
    for number in range(others):
        repository.objects.write("blob", b"%d" % number)
    commit = experiment(repository, head, b"durable")
    monkeypatch.setattr(os, "fsync", record)
    if not has_threads:
        monkeypatch.setattr(threading.Thread, "start", refuse)
    publish(repository, ExperimentRef(head, "e1"), commit)
    new = project.git("rev-list", "--objects", commit, "--not", head).split()
    names = {word for word in new if re.fullmatch("[0-9a-f]{40}", word)}
    files = [path.rpartition("/objects/")[2].replace("/", "") for path in synced]
    assert len(names) == 4
    assert names <= set(files)
    assert len(set(files)) == len(names) + others + 2
    assert os.path.basename(synced[-2]).startswith("exprun-")
    assert synced[-1].endswith(head[2:])


@pytest.mark.parametrize("others", [0, 30])
def test_what_could_not_be_synced_is_synced_the_next_time(
    project: GitProject, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    project.write("d/a", "1")
    ref = ExperimentRef(head := project.commit_all(), "e1")
    repository = project.open()
    for number in range(others):
        repository.objects.write("blob", b"%d" % number)
    commit = experiment(repository, head, b"durable")
    tried: list[str] = []

    def fail_once(descriptor: int) -> None:
        tried.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        if len(tried) == 2:
            raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(os, "fsync", fail_once)
    with pytest.raises(OSError, match="I/O error"):
        publish(repository, ref, commit)
    assert repository.refs.read(str(ref)) is None
    before = len(tried)
    assert publish(repository, ref, commit).commit == commit
    assert set(tried[:before]) <= set(tried[before:])


def test_resolving(project: GitProject) -> None:
    project.write("d/a", "1")
    head = project.commit_all()
    project.git("tag", "-a", "v1", "-m", "tag")
    repository = project.open()
    commit = experiment(repository, head, b"x")
    publish(repository, ExperimentRef(head, "e1"), commit)
    publish(repository, ExperimentRef(head, "main"), commit)
    for name, expected in {
        "e1": commit, "HEAD": head, "v1": head, "main": head, head[:8]: head, commit: commit,
        str(ExperimentRef(head, "main")): commit, "HEAD~0": head,
    }.items():  # fmt: skip
        assert History(repository).resolve(name) == expected
    with pytest.raises(UsageError, match="unknown Git revision 'nosuch'"):
        History(repository).resolve("nosuch")
    elsewhere = (ExperimentRef("ab" * 20, "two"), ExperimentRef("cd" * 20, "two"))
    for ref in elsewhere:
        repository.refs.write(str(ref), commit, expected=None)
    with pytest.raises(UsageError, match="ambiguous"):
        History(repository).resolve("two")


ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"GIT_AUTHOR_NAME": "An Author", "GIT_COMMITTER_EMAIL": "c@x"},
    {
        "GIT_AUTHOR_DATE": "1112911993 +0200",
        "GIT_COMMITTER_DATE": "Thu, 7 Apr 2005 22:13 -0330",
    },
    {
        "GIT_AUTHOR_DATE": "2005-04-07T22:13+05:30",
        "GIT_COMMITTER_DATE": "2005-04-07 22:13 -01",
    },
    {"LOGNAME": "someone", "EMAIL": "some@where"},
]


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("configured", [True, False])
def test_identity_is_dvc_s(
    project: GitProject, env: dict[str, str], configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*os.environ]:
        if name.startswith("GIT_") or name in ("LOGNAME", "USER", "LNAME", "USERNAME", "EMAIL"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(project.root))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    if configured:
        project.git("config", "user.name", "Con Figured")
        project.git("config", "user.email", "con@figured")
    with Repo(str(project.root)) as repository:
        made = repository[dulwich_commit(repository, message="m", sign=False)]
    assert isinstance(made, Commit)
    settings = [
        Setting("local", "user.name", "Con Figured"),
        Setting("local", "user.email", "con@figured"),
    ]
    config = GitConfig(tuple(settings if configured else ()))
    for role, text in (("AUTHOR", made.author), ("COMMITTER", made.committer)):
        zone = made.author_timezone if role == "AUTHOR" else made.commit_timezone
        dated = any(name.endswith("_DATE") for name in env)
        ours = signature(role, env=env, config=config, now=7, local_offset=zone if not dated else 1)
        assert f"{ours.name} <{ours.email}>".encode() == text
        assert ours.offset == zone


@pytest.mark.parametrize(
    "date",
    [
        "123456789 +0130", "@123456789 -0300",
        "2005-04-07T22:13:13+02:00", "2005-04-07T22:13:13+02",
        "2005-04-07T22:13:13.25-0930", "2005-04-07 22:13:13 +0200", "2005-04-07 22:13 -0100",
        "2005-04-07T22:13:13Z", "20050407T221313Z", "20050407T221313-0330",
        "Thu, 07 Apr 2005 22:13:13 +0200", "Thu, 07 Apr 2005 22:13:13 GMT",
        "2005.04.07 22:13:13 +0530", "04/07/2005 22:13:13 -0330", "07.04.2005 22:13:13 +0000",
    ],
)  # fmt: skip
def test_the_time_zone_of_a_date_is_git_s(project: GitProject, date: str) -> None:
    zone = project.git("var", "GIT_AUTHOR_IDENT", env={"GIT_AUTHOR_DATE": date})
    sign, hours, minutes = zone[-5], int(zone[-4:-2]), int(zone[-2:])
    assert zone_offset(date) == (-1 if sign == "-" else 1) * (hours * 60 + minutes) * 60


@pytest.mark.parametrize("date", ["2005-04-07T22:13:13", "2005-04-07", "2005-04-07 22:13", "@1"])
def test_a_date_needs_a_time_zone(date: str) -> None:
    with pytest.raises(GitError, match="invalid Git timestamp"):
        zone_offset(date)
