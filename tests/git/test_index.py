from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from exprun.errors import GitError
from exprun.git.index_file import CachedTree, format_index, parse_index
from exprun.git.index_guard import IndexMark, undo_index_changes

if TYPE_CHECKING:
    from tests.git.project import GitProject


def base(project: GitProject) -> None:
    for path in ("a", "b", "d/x", "d/deep/y", "d.z", "e/" + "/".join(["n" * 200] * 10)):
        project.write(path, path)
    project.commit_all()


def listed(project: GitProject) -> list[tuple[str, int, str]]:
    lines = project.git("ls-files", "--stage", "-z").split("\0")
    return [
        (path, int(mode, 8), oid)
        for line in lines if line
        for head, path in [line.split("\t")]
        for mode, oid, _ in [head.split(" ")]
    ]  # fmt: skip


@pytest.mark.parametrize("version", ["2", "3", "4", "split"])
def test_every_index_is_read(project: GitProject, version: str) -> None:
    base(project)
    project.write("new", "n")
    if version == "split":
        project.git("update-index", "--split-index")
    else:
        project.git("update-index", "--index-version", version)
    project.git("add", "-N", "new")
    project.git("update-index", "--skip-worktree", "a")
    project.git("update-index", "--assume-unchanged", "b")
    index = project.open().read_index()
    assert [(e.path, e.mode, e.oid) for e in index.entries] == listed(project)
    assert [e.path for e in index.entries if e.skip_worktree] == ["a"]
    assert [e.path for e in index.entries if e.assume_valid] == ["b"]
    assert [e.path for e in index.entries if e.intent_to_add] == ["new"]


def test_known_trees_are_git_s(project: GitProject) -> None:
    base(project)
    index = project.open().read_index()
    assert index.trees["d"] == CachedTree(2, project.git("rev-parse", "HEAD:d"))
    assert index.trees[""].oid == project.git("rev-parse", "HEAD^{tree}")
    project.write("d/x", "2")
    project.git("add", "d/x")
    trees = project.open().read_index().trees
    assert "" not in trees
    assert "d" not in trees
    assert trees["d/deep"].size == 1


def test_what_is_written_git_reads(project: GitProject) -> None:
    base(project)
    before = listed(project)
    index = project.open().read_index()
    data = format_index(index.entries[::-1], index.trees)
    again = parse_index(data)
    assert (again.entries, again.trees) == (index.entries, index.trees)
    (project.root / ".git/index").write_bytes(data)
    assert listed(project) == before
    assert project.git("diff-files") == ""
    assert project.git("write-tree") == project.git("rev-parse", "HEAD^{tree}")
    project.git("fsck")


@pytest.mark.parametrize(
    "data", [b"", b"DIRC", b"XXXX" + b"\0" * 40, b"DIRC\0\0\0\2\0\0\xff\xff" + b"\0" * 99]
)
def test_a_damaged_index_is_an_error(data: bytes) -> None:
    with pytest.raises(GitError, match="damaged"):
        parse_index(data)


def test_an_index_that_is_another_is_seen_whatever_its_times_say(project: GitProject) -> None:
    base(project)
    repository = project.open()
    first, second, *rest = repository.read_index().entries
    index = project.root / ".git/index"
    index.write_bytes(format_index([first, second, *rest], {}))
    found = index.stat()
    before = repository.read_index()
    assert repository.read_index().entries is before.entries
    index.write_bytes(format_index([first._replace(oid=second.oid), second, *rest], {}))
    os.utime(index, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert (index.stat().st_size, index.stat().st_ino) == (found.st_size, found.st_ino)
    after = repository.read_index()
    assert after.mtime_ns == before.mtime_ns
    assert [(e.path, e.mode, e.oid) for e in after.entries] == listed(project)
    assert after.entries[0].oid == second.oid


def test_what_a_stage_adds_is_taken_back(project: GitProject) -> None:
    base(project)
    project.write("intended", "i")
    project.git("add", "-N", "intended")
    project.write("b", "staged by the user")
    project.git("add", "b")
    before = listed(project)
    repository = project.open()
    mark = IndexMark(repository)
    assert mark.changes() == ()
    for path in ("new", "d/odd\n\tname", "a", "b", "intended"):
        project.write(path, "by the stage")
    project.git("add", "-A")
    project.git("rm", "-q", "--cached", "d/x")
    changes = mark.changes()
    assert {change.path for change in changes} == {
        "new", "d/odd\n\tname", "a", "b", "intended", "d/x",
    }  # fmt: skip
    project.write("a", "and then by the user")
    project.git("add", "a")
    undo_index_changes(repository, changes)
    after = [entry for entry in listed(project) if entry[0] != "a"]
    assert after == [entry for entry in before if entry[0] != "a"]
    entries = repository.read_index().entries
    assert [entry.path for entry in entries if entry.intent_to_add] == ["intended"]


@pytest.mark.parametrize("how", ["commit", "checkout"])
def test_what_head_has_since_stays(project: GitProject, how: str) -> None:
    base(project)
    project.git("checkout", "-q", "-b", "other")
    project.write("a", "of the other")
    project.git("rm", "-q", "d/x")
    project.git("commit", "-q", "-a", "-m", "other")
    project.git("checkout", "-q", "-")
    repository = project.open()
    mark = IndexMark(repository)
    project.write("new", "by the stage")
    project.git("add", "new")
    if how == "checkout":
        project.git("checkout", "-q", "other")
    else:
        project.write("a", "by the user")
        project.git("rm", "-q", "d/x")
        project.git("commit", "-q", "-m", "mine", "a", "d/x")
    undo_index_changes(repository, mark.changes())
    assert project.git("diff", "--cached", "--name-only") == ""


def test_an_untouched_index_is_not_written(project: GitProject) -> None:
    base(project)
    repository = project.open()
    mark = IndexMark(repository)
    project.write("a", "x")
    index = project.root / ".git/index"
    os.utime(index)
    before = index.stat().st_mtime_ns, index.stat().st_ino
    undo_index_changes(repository, mark.changes())
    assert (index.stat().st_mtime_ns, index.stat().st_ino) == before
