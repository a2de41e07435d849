from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exprun.errors import GitError
from exprun.git.conversion import conversion_state
from exprun.git.objects import EMPTY_TREE
from exprun.git.snapshot import take_snapshot
from exprun.git.tree import FILE, SYMLINK, Entry, edit_tree, format_tree
from exprun.workspaces.isolated import Slot, open_slot, workspace_source
from tests.git.project import GitProject
from tests.support.deep import nest

if TYPE_CHECKING:
    from collections.abc import Callable


def base(project: GitProject) -> None:
    for path in ("a", "b", "c", "d/x", "d/y", "d/deep/z", "e/only"):
        project.write(path, f"{path}\n")
    (project.root / "link").symlink_to("a")
    project.write("run", "#!/bin/sh\n").chmod(0o755)
    project.commit_all("first")


@pytest.fixture
def slot(project: GitProject) -> Slot:
    made = open_slot(str(project.root / ".git/slots/1"))
    assert made is not None
    return made


def inside(project: GitProject, slot: Slot) -> GitProject:
    return GitProject(Path(slot.root), project.env)


def make(project: GitProject, slot: Slot, tree: str | None = None) -> GitProject:
    repository = project.open()
    slot.make(
        workspace_source(repository),
        baseline=project.git("rev-parse", "HEAD"),
        tree=tree or take_snapshot(repository),
    )
    return inside(project, slot)


def files(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes(),
        )
        for path in root.rglob("*")
        if (path.is_symlink() or path.is_file()) and ".git" not in path.relative_to(root).parts
    }


def test_files_and_status_are_as_in_a_workspace_of_dvc(project: GitProject, slot: Slot) -> None:
    base(project)
    project.write("a", "modified\n")
    (project.root / "b").unlink()
    (project.root / "c").chmod(0o755)
    project.write("new", "n\n")
    project.write("untracked", "u\n")
    project.git("add", "new")
    own = make(project, slot)
    assert {name: value for name, value in files(project.root).items() if name != "untracked"} == (
        files(own.root)
    )
    # As `dvc exp run --temp` shows it to a stage: additions staged, all else not.
    assert own.git("status", "--porcelain") == " M a\n D b\n M c\nA  new"
    assert own.git("rev-parse", "HEAD") == project.git("rev-parse", "HEAD")
    assert own.git("log", "--format=%s") == "first"
    own.git("fsck", "--strict")
    assert own.git("write-tree") != project.git("rev-parse", "HEAD^{tree}")


def test_the_snapshot_of_a_fresh_workspace_is_its_tree(project: GitProject, slot: Slot) -> None:
    base(project)
    project.write("d/x", "modified\n")
    project.write("d/n/new", "n\n")
    project.git("add", "d")
    repository = project.open()
    tree = take_snapshot(repository)
    head = project.git("rev-parse", "HEAD")
    workspace = slot.make(workspace_source(repository), baseline=head, tree=tree)
    assert take_snapshot(workspace.repository, objects=repository.objects) == tree


def test_what_a_stage_does_to_git_stays_inside(project: GitProject, slot: Slot) -> None:
    base(project)
    before = project.git("for-each-ref"), (project.root / ".git/index").read_bytes()
    own = make(project, slot)
    own.write("a", "by a stage\n")
    own.git("commit", "-q", "-a", "-m", "inner")
    own.git("gc", "-q", "--prune=now")
    own.git("reflog", "expire", "--all", "--expire=now")
    assert (project.git("for-each-ref"), (project.root / ".git/index").read_bytes()) == before
    project.git("fsck", "--strict")
    assert "inner" not in project.git("log", "--all", "--format=%s")


def test_settings_come_along_but_not_what_is_the_original_s(
    project: GitProject, slot: Slot
) -> None:
    base(project)
    hook = project.write("hooks/post-checkout", "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    for key, value in {
        "user.name": 'odd "name" \\ with\ttab',
        "core.hooksPath": str(hook.parent),
        "core.worktree": str(project.root),
        "remote.origin.url": "https://example.com/x.git",
        'section.with "quote.key': "value # no comment",
    }.items():
        project.git("config", key, value)
    (project.root / ".git/info").mkdir(exist_ok=True)
    (project.root / ".git/info/exclude").write_text("hooks\n*.tmp\n")
    own = make(project, slot)
    assert own.git("config", "user.name") == 'odd "name" \\ with\ttab'
    assert own.git("config", "remote.origin.url") == "https://example.com/x.git"
    assert own.git("config", 'section.with "quote.key') == "value # no comment"
    assert own.git("rev-parse", "--show-toplevel") == slot.root
    assert "hookspath" not in own.git("config", "--list", "--local").lower()
    own.write("x.tmp", "")
    assert own.git("status", "--porcelain") == ""


def test_switching_writes_only_what_differs(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    later = (Path(slot.directory) / "state").stat().st_mtime_ns + 10**9
    os.utime(Path(slot.directory) / "state", ns=(later, later))
    # What a stage may leave behind, the nastiest last.
    own.write("out/big", "x")
    own.write("a", "A\n")
    stat = (own.root / "b").stat()
    own.write("b", "B\n")
    os.utime(own.root / "b", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (own.root / "c").unlink()
    shutil.rmtree(own.root / "e")
    (own.root / "e").symlink_to(project.root / "d")
    own.git("config", "user.name", "someone else")
    inode = (own.root / "d/x").stat().st_ino
    other = edit_tree(
        project.open().objects,
        project.git("rev-parse", "HEAD^{tree}"),
        {"d/y": None, "d/deep": Entry(FILE, project.git("rev-parse", "HEAD:a"))},
    )
    make(project, slot, other)
    assert (own.root / "d/x").stat().st_ino == inode
    assert own.git("status", "--porcelain") == "A  d/deep\nD  d/deep/z\n D d/y"
    assert own.git("config", "user.name") == "A U Thor"
    assert (own.root / "b").read_text() == "b\n"
    assert not (own.root / "out").exists()
    assert (own.root / "e/only").read_text() == "e/only\n"
    assert (project.root / "d/y").exists()
    assert take_snapshot(inside(project, slot).open()) != EMPTY_TREE


def _modes(root: Path) -> dict[str, int]:
    return {
        str(path.relative_to(root)): path.lstat().st_mode
        for path in root.rglob("*")
        if ".git" not in path.relative_to(root).parts
    }


def test_modes_are_those_of_the_umask_in_force(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    usual = _modes(own.root)
    later = (Path(slot.directory) / "state").stat().st_mtime_ns + 10**9
    os.utime(Path(slot.directory) / "state", ns=(later, later))
    before = os.umask(0o077)
    try:
        make(project, slot)
    finally:
        os.umask(before)
    private = _modes(own.root)
    assert private["a"] & 0o777 == 0o600
    assert private["d"] & 0o777 == private["run"] & 0o777 == 0o700
    make(project, slot)
    assert _modes(own.root) == usual


@pytest.mark.parametrize("mode", [0o555, 0o777, 0o000])
def test_directories_of_a_tree_get_their_modes_back(
    project: GitProject, slot: Slot, mode: int
) -> None:
    base(project)
    own = make(project, slot)
    usual = _modes(own.root)
    (own.root / "d/deep").chmod(mode)
    (own.root / "d").chmod(mode)
    make(project, slot)
    assert _modes(own.root) == usual


def test_what_is_nested_however_deeply_leaves_nothing(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    nest(own.root / "d", 1500)

    make(project, slot)

    assert not (own.root / "d/d").exists()
    assert not list(own.root.parent.glob("stuck-*"))


def _git_inode(own: GitProject) -> int:
    return (own.root / ".git").stat().st_ino


def test_a_git_directory_that_no_stage_touched_is_used_again(
    project: GitProject, slot: Slot
) -> None:
    base(project)
    own = make(project, slot)
    inode = _git_inode(own)
    own.git("status")  # which writes the index
    make(project, slot)
    assert _git_inode(own) == inode
    assert own.git("status", "--porcelain") == ""


def _link_config(own: GitProject) -> None:
    os.link(own.root / ".git/config", own.root / ".git/other-name")
    os.rename(own.root / ".git/other-name", own.root.parent / "held-by-a-stage")


@pytest.mark.parametrize(
    "touch",
    [
        lambda own: own.git("commit", "-q", "--allow-empty", "-m", "inner"),
        lambda own: own.git("config", "user.name", "someone else"),
        lambda own: own.git("tag", "v1"),
        lambda own: own.git("stash", "store", "-m", "x", "HEAD"),
        lambda own: own.write(".git/hooks/post-checkout", "#!/bin/sh\n"),
        lambda own: own.write(".git/index.lock", ""),
        lambda own: (own.root / ".git/info/exclude").unlink(),
        _link_config,
    ],
    ids=["commit", "config", "tag", "stash", "hook", "lock", "exclude", "link"],
)
def test_one_that_a_stage_touched_is_made_anew(
    project: GitProject, slot: Slot, touch: Callable[[GitProject], object]
) -> None:
    base(project)
    project.write(".git/info/exclude", "*.tmp\n")
    own = make(project, slot)
    fresh = {path.relative_to(own.root) for path in (own.root / ".git").rglob("*")}
    inode = _git_inode(own)
    touch(own)
    # Held open, so that a new directory cannot get the old one's number.
    before = os.open(own.root / ".git", os.O_RDONLY)
    make(project, slot)
    os.close(before)
    assert _git_inode(own) != inode
    assert {path.relative_to(own.root) for path in (own.root / ".git").rglob("*")} == fresh
    assert own.git("config", "user.name") == "A U Thor"


def test_a_slot_that_a_crash_left_is_made_anew(
    project: GitProject, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    base(project)
    own = make(project, slot)
    inode = (own.root / "d/x").stat().st_ino
    monkeypatch.setattr("exprun.workspaces.isolated.write_index", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make(project, slot)
    monkeypatch.undo()
    assert (Path(slot.directory) / "state").read_bytes() == b""
    own.write("leftover", "x")
    make(project, slot)
    assert own.git("status", "--porcelain") == ""
    assert (own.root / "d/x").stat().st_ino != inode or not (own.root / "leftover").exists()


def test_a_slot_whose_state_was_cut_short_is_made_anew(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    # Held open, so that a new directory cannot get the old one's number.
    before = os.open(own.root, os.O_RDONLY)
    make(project, slot)
    assert os.path.samestat(own.root.stat(), os.fstat(before))
    state = Path(slot.directory) / "state"
    state.write_bytes(state.read_bytes()[:-30])
    make(project, slot)
    assert not os.path.samestat(own.root.stat(), os.fstat(before))
    os.close(before)


def test_a_later_process_writes_nothing_that_is_there(project: GitProject, slot: Slot) -> None:
    base(project)
    project.write("a", "modified\n")
    project.write("d/x", "modified\n")
    project.write("n/new", "n\n")
    project.git("add", "n")
    (project.root / "b").unlink()
    (project.root / "c").chmod(0o755)
    tree = take_snapshot(project.open())
    own = make(project, slot, tree)
    state = Path(slot.directory) / "state"
    later = state.stat().st_mtime_ns + 10**9
    os.utime(state, ns=(later, later))
    before = {path: _written(own.root / path) for path in files(own.root)}
    slot.close()
    again = open_slot(slot.directory)
    assert again is not None
    make(project, again, tree)
    assert {path: _written(own.root / path) for path in files(own.root)} == before
    assert {"a", "d/x", "n/new", "c", "link"} < before.keys()


def _written(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_ino, found.st_mtime_ns


def test_one_process_at_a_time_uses_a_slot(project: GitProject, slot: Slot) -> None:
    assert open_slot(slot.directory) is None
    slot.close()
    again = open_slot(slot.directory)
    assert again is not None
    with again:
        base(project)
        own = make(project, again)
        (own.root / "d").chmod(0o500)
        again.remove()
    assert not Path(again.directory).exists()


@pytest.mark.parametrize(
    "name", [b".git", b".GIT", b"..", b"git~1", b".git ", ".g\u200cit".encode()]
)
def test_a_tree_cannot_reach_out(project: GitProject, slot: Slot, name: bytes) -> None:
    base(project)
    objects = project.open().objects
    inner = objects.write("tree", format_tree({b"config": Entry(FILE, objects.write("blob", b""))}))
    tree = objects.write("tree", format_tree({name: Entry(0o040000, inner)}))
    with pytest.raises(GitError, match="may not be written"):
        make(project, slot, tree)


def test_names_that_only_look_like_gits_are_no_danger(project: GitProject, slot: Slot) -> None:
    base(project)
    objects = project.open().objects
    blob = Entry(FILE, objects.write("blob", b"a"))
    tree = objects.write("tree", format_tree({b"git~2": blob, b"a.git": blob}))
    assert (make(project, slot, tree).root / "git~2").read_text() == "a"


def test_a_tree_cannot_write_through_its_own_symlink(project: GitProject, slot: Slot) -> None:
    base(project)
    objects = project.open().objects
    blob = objects.write("blob", str(project.root).encode())
    inner = objects.write("tree", format_tree({b"a": Entry(FILE, blob)}))
    data = format_tree({b"x": Entry(SYMLINK, blob)}) + format_tree({b"x": Entry(0o040000, inner)})
    with pytest.raises(GitError, match="damaged"):
        make(project, slot, objects.write("tree", data))


ATTRIBUTES = (
    "*.crlf eol=crlf\n*.id ident\n*.up filter=upper\n*.enc working-tree-encoding=UTF-16LE\n"
)


@pytest.mark.parametrize("autocrlf", ["false", "true"])
def test_conversions(project: GitProject, slot: Slot, autocrlf: str) -> None:
    project.git("config", "filter.upper.clean", "tr A-Z a-z")
    project.git("config", "filter.upper.smudge", "tr a-z A-Z")
    project.git("config", "core.autocrlf", autocrlf)
    project.git("config", "core.safecrlf", "false")
    project.write("sub/.gitattributes", ATTRIBUTES)
    for path in ("sub/1.crlf", "sub/2.id", "sub/3.up", "sub/plain", "sub/link.up"):
        project.write(path, "one\r\ntwo $Id$\n")
    project.write("sub/4.enc", "text\n".encode("utf-16-le"))
    project.write("binary", b"\0\n")
    head = project.commit_all()
    clone = project.root.parent / "clone"
    config = ["-c", f"core.autocrlf={autocrlf}", "-c", "filter.upper.smudge=tr a-z A-Z"]
    project.git(*config, "clone", "-q", str(project.root), str(clone))
    own = make(project, slot)
    assert files(own.root) == files(clone)
    assert own.git("status", "--porcelain") == ""
    workspace = own.open()
    assert take_snapshot(workspace) == project.git("rev-parse", f"{head}^{{tree}}")


@pytest.mark.parametrize("converts", ["settings", "attributes"])
def test_files_are_converted_as_is_told_now(project: GitProject, slot: Slot, converts: str) -> None:
    base(project)
    own = make(project, slot)
    assert (own.root / "a").read_bytes() == b"a\n"
    later = (Path(slot.directory) / "state").stat().st_mtime_ns + 10**9
    os.utime(Path(slot.directory) / "state", ns=(later, later))
    if converts == "settings":
        told = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.autocrlf"}
        project = GitProject(project.root, project.env | told | {"GIT_CONFIG_VALUE_0": "true"})
    else:
        (project.root / ".git/info/attributes").write_text("* eol=crlf\n")
    make(project, slot)
    assert (own.root / "a").read_bytes() == b"a\r\n"


@pytest.mark.parametrize("file", [".config/git/attributes", "named"])
def test_attributes_of_the_user_decide_about_conversions(
    project: GitProject, tmp_path: Path, file: str
) -> None:
    (tmp_path / ".config/git").mkdir(parents=True)
    (tmp_path / ".gitconfig").write_text("[core]\n\tattributesFile = ~/named\n")
    home = GitProject(project.root, project.env | {"HOME": str(tmp_path)})
    before = conversion_state(home.open())
    assert conversion_state(home.open()) == before
    (tmp_path / file).write_text("* eol=crlf\n")
    assert conversion_state(home.open()) != before


def test_submodules_are_checked_out_without_network(project: GitProject, slot: Slot) -> None:
    leaf = GitProject(project.root.parent / "leaf", project.env)
    middle = GitProject(project.root.parent / "middle", project.env)
    for repository in (leaf, middle):
        repository.root.mkdir()
        repository.git("init", "-q")
        repository.write("file", repository.root.name)
        repository.commit_all()
    middle.git("submodule", "--quiet", "add", str(leaf.root), "leaf")
    middle.commit_all()
    base(project)
    project.git("submodule", "--quiet", "add", str(middle.root), "middle")
    project.git("submodule", "--quiet", "add", str(leaf.root), "absent")
    project.git("submodule", "--quiet", "update", "--init", "--recursive")
    project.commit_all()
    project.git("submodule", "--quiet", "deinit", "-f", "absent")
    shutil.rmtree(leaf.root)
    shutil.rmtree(middle.root)
    own = make(project, slot)
    assert (own.root / "middle/leaf/file").read_text() == "leaf"
    assert list((own.root / "absent").iterdir()) == []
    assert own.git("status", "--porcelain") == ""
    assert GitProject(own.root / "middle", project.env).git("status", "--porcelain") == ""
    make(project, slot)
    assert own.git("status", "--porcelain") == ""


def test_shallow_clones_and_linked_worktrees(project: GitProject, slot: Slot) -> None:
    base(project)
    project.write("a", "second\n")
    project.commit_all("second")
    shallow = GitProject(project.root.parent / "shallow", project.env)
    project.git("clone", "-q", "--depth=1", f"file://{project.root}", str(shallow.root))
    assert make(shallow, slot).git("log", "--format=%s") == "second"
    linked = GitProject(project.root.parent / "linked", project.env)
    project.git("worktree", "add", "-q", "--detach", str(linked.root), "HEAD^")
    linked.write("b", "linked\n")
    own = make(linked, slot)
    assert own.git("log", "--format=%s") == "first"
    assert own.git("status", "--porcelain") == " M b"


def test_extra_files_do_not_follow_a_link_that_leads_out(project: GitProject, slot: Slot) -> None:
    base(project)
    outside = project.root.parent / "outside"
    outside.mkdir()
    (outside / "config.local").write_text("the user's\n")
    (project.root / ".dvc").symlink_to(outside)
    project.commit_all("a link")
    repository = project.open()
    source = workspace_source(repository, extra_files={".dvc/config.local": b"[cache]\n"})

    with pytest.raises(GitError, match="leads out of the workspace"):
        slot.make(source, baseline=project.git("rev-parse", "HEAD"), tree=take_snapshot(repository))

    assert (outside / "config.local").read_text() == "the user's\n"


def test_extra_files_do_not_follow_a_link_that_a_stage_has_made(
    project: GitProject, slot: Slot
) -> None:
    base(project)
    outside = project.root.parent / "outside"
    outside.mkdir()
    repository = project.open()
    source = workspace_source(repository, extra_files={"d/.dvc/config.local": b"[cache]\n"})
    baseline, tree = project.git("rev-parse", "HEAD"), take_snapshot(repository)
    own = os.path.join(slot.make(source, baseline=baseline, tree=tree).root, "d/.dvc")
    for path in (own, os.path.dirname(own)):
        shutil.rmtree(path)
        os.symlink(outside, path)
        slot.make(source, baseline=baseline, tree=tree)
        assert os.listdir(outside) == []
        assert os.listdir(own) == ["config.local"]
        assert not os.path.islink(path)


def test_extra_files_are_private_and_never_tracked(project: GitProject, slot: Slot) -> None:
    base(project)
    project.write(".dvc/.gitignore", "/config.local\n")
    project.commit_all()
    repository = project.open()
    head = project.git("rev-parse", "HEAD")
    source = workspace_source(repository, extra_files={".dvc/config.local": b"[cache]\n"})
    for _ in range(2):
        slot.make(source, baseline=head, tree=repository.tree_of(head))
    own = inside(project, slot)
    assert (own.root / ".dvc/config.local").stat().st_mode & 0o777 == 0o600
    assert own.git("status", "--porcelain") == ""
    wrong = workspace_source(repository, extra_files={"a": b""})
    with pytest.raises(GitError, match="a: a file of the workspace is tracked"):
        slot.make(wrong, baseline=head, tree=repository.tree_of(head))


def test_packed_repositories_work(project: GitProject, slot: Slot) -> None:
    base(project)
    project.git("gc", "-q")
    assert subprocess.run(
        ["git", "status", "--porcelain"], cwd=make(project, slot).root, env=project.env,
        capture_output=True, check=True,
    ).stdout == b""  # fmt: skip


def _make_again(project: GitProject, slot: Slot) -> list[str]:
    """What of the paths to be left is there afterwards."""
    repository = project.open()
    workspace = slot.make(
        workspace_source(repository),
        baseline=project.git("rev-parse", "HEAD"),
        tree=take_snapshot(repository),
    )
    return list(workspace.left)


def test_what_is_to_be_left_stays_where_it_is_once(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    own.write("data/deep/x", "x")
    own.write("new/dir/y", "y")
    own.write("new/z", "z")
    inode = (own.root / "data/deep/x").stat().st_ino
    slot.leave(["data", "new/dir/y", "not/there"])
    assert sorted(_make_again(project, slot)) == ["data", "new/dir/y"]
    assert (own.root / "data/deep/x").stat().st_ino == inode
    assert (own.root / "new/dir/y").read_text() == "y"
    assert not (own.root / "new/z").exists()

    assert _make_again(project, slot) == []
    assert not (own.root / "data").exists() and not (own.root / "new").exists()


def test_what_is_in_the_way_of_a_tree_is_not_left(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    shutil.rmtree(own.root / "d")
    own.write("d/x", "not the tree's")
    own.write("d/other", "o")
    (own.root / "a").unlink()
    own.write("a/inside", "i")
    slot.leave(["d", "a/inside", "b"])
    # Else it would be taken for an output of before, and removed.
    assert _make_again(project, slot) == []
    assert files(own.root) == files(project.root)


def test_nothing_is_left_behind_a_link(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    elsewhere = project.root.parent / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    (own.root / "new").symlink_to(elsewhere)
    slot.leave(["new/data"])
    assert _make_again(project, slot) == []
    assert not (own.root / "new").is_symlink()
    assert (elsewhere / "data").exists()


def test_a_workspace_that_was_cleared_leaves_nothing(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    own.write("data/x", "x")
    slot.leave(["data"])
    slot.clear()
    own.write("data/x", "x")
    assert _make_again(project, slot) == []
    assert files(own.root) == files(project.root)


def test_what_was_made_takes_no_room_and_what_was_written_stays(
    project: GitProject, slot: Slot
) -> None:
    base(project)
    own = make(project, slot)
    later = (Path(slot.directory) / "state").stat().st_mtime_ns + 10**9
    os.utime(Path(slot.directory) / "state", ns=(later, later))
    before = files(own.root)
    inode = (own.root / "d/x").stat().st_ino
    own.write("a", "large\n")
    own.write("new/big", "large\n")
    own.write("d/big", "large\n")
    slot.strip()
    assert files(own.root) == {name: file for name, file in before.items() if name != "a"}
    make(project, slot)
    assert files(own.root) == before
    assert (own.root / "d/x").stat().st_ino == inode


@pytest.mark.parametrize("how", ["link", "gone", "not yet made"])
def test_a_workspace_that_is_no_more_is_stripped(project: GitProject, slot: Slot, how: str) -> None:
    base(project)
    if how != "not yet made":
        shutil.move(make(project, slot).root, project.root / ".git/moved")
    if how == "link":
        Path(slot.root).symlink_to(project.root / "d")
    slot.strip()
    assert not os.path.lexists(slot.root)
    assert (project.root / "d/x").exists()
    assert files(make(project, slot).root) == files(project.root)


def test_what_is_left_is_kept_for_a_later_process(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    own.write("data/deep/x", "x")
    own.write("huge", "h")
    own.write("a", "changed")
    slot.leave(["data", "not/there"])
    assert slot.keep()
    assert not (own.root / "huge").exists()

    slot.close()
    again = open_slot(slot.directory)
    assert again is not None
    assert again.keep()
    assert _make_again(project, again) == ["data"]
    assert (own.root / "data/deep/x").read_text() == "x"
    assert (own.root / "a").read_text() == "a\n"


def test_a_kept_workspace_that_somebody_removed_is_made_anew(
    project: GitProject, slot: Slot
) -> None:
    base(project)
    own = make(project, slot)
    own.write("data/x", "x")
    slot.leave(["data"])
    assert slot.keep()
    shutil.rmtree(slot.root)
    assert _make_again(project, slot) == []
    assert files(own.root) == files(project.root)


def test_what_a_killed_process_used_is_not_kept(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    own.write("data/x", "x")
    slot.leave(["data"])
    assert slot.keep()
    _make_again(project, slot)
    slot.close()  # As a kill does.
    again = open_slot(slot.directory)
    assert again is not None
    assert not again.keep()


def test_nothing_left_is_nothing_to_keep(project: GitProject, slot: Slot) -> None:
    base(project)
    own = make(project, slot)
    assert not slot.keep()
    slot.leave(["data"])
    assert not slot.keep()
    own.write("data/x", "x")
    slot.leave(["data"])
    slot.clear()
    assert not slot.keep()
