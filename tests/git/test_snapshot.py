from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exprun.errors import GitError, UsageError
from exprun.git.conversion import Conversion
from exprun.git.index_file import format_index, stat_of
from exprun.git.snapshot import take_snapshot
from exprun.git.tree import find
from exprun.store.removal import remove
from tests.git.project import GitProject
from tests.support.deep import nest

if TYPE_CHECKING:
    from collections.abc import Callable


def base(project: GitProject) -> None:
    for path in ("a", "b", "c", "d/x", "d/y", "d/deep/z", "e/only"):
        project.write(path, f"{path}\n")
    (project.root / "link").symlink_to("a")
    project.commit_all()


def same_tree(project: GitProject) -> bool:
    before = (project.root / ".git/index").read_bytes()
    ours = take_snapshot(project.open())
    assert (project.root / ".git/index").read_bytes() == before
    return ours == project.tree_after_add()


def test_a_clean_worktree_is_head(project: GitProject) -> None:
    base(project)
    assert take_snapshot(project.open()) == project.git("rev-parse", "HEAD^{tree}")


def test_an_empty_repository_has_the_empty_tree(project: GitProject) -> None:
    assert take_snapshot(project.open()) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def modify(root: Path) -> None:
    (root / "a").write_text("changed\n")


def same_size_same_mtime(root: Path) -> None:
    found = (root / "a").stat()
    (root / "a").write_text("A\n")
    os.utime(root / "a", ns=(found.st_atime_ns, found.st_mtime_ns))


def make_executable(root: Path) -> None:
    (root / "a").chmod(0o755)


def delete_directory(root: Path) -> None:
    shutil.rmtree(root / "d")


def file_to_directory(root: Path) -> None:
    (root / "a").unlink()
    (root / "a").mkdir()
    (root / "a/inner").write_text("x")


def directory_to_link(root: Path) -> None:
    shutil.copytree(root / "d", root / "copy")
    shutil.rmtree(root / "d")
    (root / "d").symlink_to("copy")


def link_to_file(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").write_text("a")


def retarget_link(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("nowhere")


def untracked(root: Path) -> None:
    (root / "new").write_text("new")


@pytest.mark.parametrize(
    "change",
    [
        modify, same_size_same_mtime, make_executable, delete_directory, file_to_directory,
        directory_to_link, link_to_file, retarget_link, untracked,
    ],
)  # fmt: skip
def test_worktree_changes(project: GitProject, change: Callable[[Path], None]) -> None:
    base(project)
    change(project.root)
    assert same_tree(project)


@pytest.mark.parametrize(
    "commands",
    [
        ["rm --cached a"],
        ["rm -q -r -f d"],
        ["mv a d/a"],
        ["add -N new"],
        ["add -N empty"],
        ["add new empty"],
        ["update-index --chmod=+x a"],
        ["update-index --assume-unchanged b"],
        ["update-index --skip-worktree b"],
        ["update-index --index-version 4", "add new"],
        ["update-index --split-index", "add new"],
        ["reset -q --soft HEAD"],
    ],
)
def test_staged_changes(project: GitProject, commands: list[str]) -> None:
    base(project)
    project.write("new", "new\n")
    project.write("empty")
    project.write("d/x", "other\n")
    for command in commands:
        project.git(*command.split())
    assert same_tree(project)


def test_what_git_was_not_sure_of_is_looked_at(project: GitProject) -> None:
    """It gives an entry a size of zero if its file may have changed while the index was written."""
    project.write("a", "x")
    project.commit_all()
    file = project.write("a")
    index = project.open().read_index()
    unsure = [entry._replace(stat=stat_of(file.lstat())) for entry in index.entries]
    path = project.root / ".git/index"
    path.write_bytes(format_index(unsure, index.trees))
    later = file.lstat().st_ctime_ns + 10**9
    os.utime(path, ns=(later, later))
    assert same_tree(project)


def test_skipped_and_assumed_files_may_be_missing(project: GitProject) -> None:
    base(project)
    project.git("update-index", "--skip-worktree", "a", "d/x")
    project.git("update-index", "--assume-unchanged", "b")
    for path in ("a", "b", "d/x"):
        (project.root / path).unlink()
    assert take_snapshot(project.open()) == project.git("rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize("sparse_index", ["false", "true"])
def test_sparse_checkout(project: GitProject, sparse_index: str) -> None:
    base(project)
    project.git("config", "index.sparse", sparse_index)
    project.git("sparse-checkout", "set", "--cone", "e")
    assert not (project.root / "d").exists()
    project.write("e/only", "changed\n")
    assert same_tree(project)


def test_file_mode_is_ignored_when_git_does(project: GitProject) -> None:
    base(project)
    project.git("config", "core.filemode", "false")
    (project.root / "a").chmod(0o755)
    project.write("b", "changed\n").chmod(0o755)
    assert same_tree(project)


def test_conflicts_are_an_error(project: GitProject) -> None:
    base(project)
    project.git("checkout", "-q", "-b", "side")
    project.write("a", "side\n")
    project.commit_all()
    project.git("checkout", "-q", "main")
    project.write("a", "main\n")
    project.commit_all()
    merge = subprocess.run(
        ["git", "merge", "side"],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        check=False,
    )  # fmt: skip
    assert merge.returncode == 1
    with pytest.raises(GitError, match="unresolved conflicts: a"):
        take_snapshot(project.open())


def test_names_are_bytes(project: GitProject) -> None:
    project.write("plain", "x")
    odd = os.fsdecode(b"odd\xff\n name")
    project.write(odd, "1")
    project.commit_all()
    project.write(odd, "2")
    assert same_tree(project)


def test_submodules(project: GitProject, tmp_path: Path) -> None:
    inner = GitProject(tmp_path / "inner", project.env)
    inner.root.mkdir()
    inner.git("init", "-q")
    inner.write("file", "1")
    inner.commit_all()
    base(project)
    for path in ("moved", "dirty", "gone", "empty"):
        project.git("submodule", "--quiet", "add", str(inner.root), path)
    project.commit_all()
    moved = GitProject(project.root / "moved", project.env)
    moved.write("file", "2")
    moved.commit_all()
    project.write("dirty/file", "dirty")
    shutil.rmtree(project.root / "gone")
    shutil.rmtree(project.root / "empty")
    (project.root / "empty").mkdir()
    assert same_tree(project)
    # Nothing inside a submodule can be included.
    ours = take_snapshot(project.open(), include=["dirty/file", "moved"])
    assert ours == project.tree_after_add()


def test_a_submodule_without_a_commit_stays_as_it_is(project: GitProject) -> None:
    """As an interrupted clone leaves it."""
    base(project)
    commit = project.git("rev-parse", "HEAD")
    project.git("init", "-q", "sub")
    project.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    project.git("commit", "-qm", "a submodule")
    assert same_tree(project)
    assert find(project.open().objects, take_snapshot(project.open()), "sub") is not None


ATTRIBUTES = {
    "text=auto": "* text=auto\n",
    "text": "*.txt text\n*.bin -text\n",
    "eol": "*.txt eol=crlf\n*.bin binary\n",
    "ident": "* ident\n",
    "crlf": "*.txt crlf\n",
    "encoding": "*.txt working-tree-encoding=UTF-16LE\n",
    "filter": "*.txt filter=upper\n",
    "unknown filter": "*.txt filter=nothing\n",
    "none": "",
}
CONTENT = "one\r\ntwo\r\n$Id: abc $\n$Id$\n"


@pytest.mark.parametrize("attributes", list(ATTRIBUTES))
@pytest.mark.parametrize("autocrlf", ["false", "true", "input"])
def test_conversions(project: GitProject, attributes: str, autocrlf: str) -> None:
    project.git("config", "core.autocrlf", autocrlf)
    project.git("config", "core.safecrlf", "false")
    project.git("config", "filter.upper.clean", "tr a-z A-Z")
    project.write("crlf.txt", "in the\r\nindex\r\n".encode("utf-16-le"))
    project.write("sub/crlf.bin", "in the\r\nindex\r\n")
    project.commit_all()
    project.write(".gitattributes", ATTRIBUTES[attributes])
    project.git("add", ".gitattributes")
    project.write("crlf.txt", (CONTENT + "more").encode("utf-16-le"))
    project.write("sub/crlf.bin", CONTENT)
    project.write("sub/null.bin", b"\0\r\n")
    project.write("new.txt", CONTENT.encode("utf-16-le"))
    ours = take_snapshot(project.open(), include=["new.txt", "sub"])
    assert ours == project.tree_after_add("new.txt", "sub")
    edited = take_snapshot(
        project.open(), include=["sub"], edited={"new.txt": CONTENT.encode("utf-16-le")}
    )
    assert edited == ours


LINE_ENDS = {
    "eol": "* eol=crlf\n",
    "text": "* text eol=crlf\n",
    "no text": "* -text eol=crlf\n",
    "not even of old": "* -crlf eol=crlf\n",
    "binary": "* binary\n* eol=crlf\n",
    "lf": "* text=auto eol=lf\n",
    "auto": "* text=auto\n",
}


@pytest.mark.parametrize("attributes", list(LINE_ENDS))
@pytest.mark.parametrize("eol", ["lf", "crlf"])
def test_line_ends_are_those_that_git_gives(project: GitProject, attributes: str, eol: str) -> None:
    project.git("config", "core.eol", eol)
    project.write(".gitattributes", LINE_ENDS[attributes])
    file = project.write("a", "1\n2\n")
    project.commit_all()
    file.unlink()
    project.git("checkout", "a")
    conversion = Conversion(project.open(), has_attributes=False)
    assert conversion.with_line_ends("a", b"1\n2\n") == file.read_bytes()


def test_attributes_count_in_a_partial_clone_of_an_older_git(project: GitProject) -> None:
    project.write(".gitattributes", "* text\n")
    project.write("a", "1\n")
    project.commit_all()
    project.git("config", "core.repositoryFormatVersion", "1")
    project.git("config", "extensions.partialClone", "origin")
    project.write("a", "1\r\n2\r\n")
    assert same_tree(project)


def test_safecrlf_does_not_stop_an_experiment(project: GitProject) -> None:
    project.write(".gitattributes", "* text\n")
    project.write("a", "1\n")
    project.commit_all()
    project.git("config", "core.safecrlf", "true")
    project.write("a", "1\r\n2\r\n")
    repository = project.open()
    entry = find(repository.objects, take_snapshot(repository), "a")
    assert entry is not None
    assert project.git("cat-file", "blob", entry.oid) == "1\n2"


def test_large_files_are_streamed(project: GitProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exprun.git.conversion._STREAM_FROM", 4)
    base(project)
    project.write("large", "x" * 5_000)
    project.write("crlf.txt", "a\r\n" * 500)
    project.write(".gitattributes", "*.txt text\n")
    names = ["large", "crlf.txt", ".gitattributes"]
    assert take_snapshot(project.open(), include=names) == project.tree_after_add(*names)


def test_included_paths(project: GitProject) -> None:
    base(project)
    project.write(".gitignore", "*.log\nignored/\n!keep.log\n")
    for path in ("n/1", "n/m/2", "n/x.log", "ignored/3", "n/keep.log", "top", "other"):
        project.write(path, path)
    project.write("n/run", "").chmod(0o755)
    (project.root / "n/file").symlink_to("1")
    (project.root / "n/directory").symlink_to("m")
    ours = take_snapshot(
        project.open(), include=["n", "top", "nothing", "ignored/3", "n/x.log", "a"]
    )
    (project.root / "n/directory").unlink()  # DVC adds no link to a directory
    assert ours == project.tree_after_add("n", "top")


def test_the_inside_of_a_nested_repository_is_added_as_dvc_does(project: GitProject) -> None:
    base(project)
    project.write("n/file", "1")
    nested = GitProject(project.root / "n/repo", project.env)
    nested.root.mkdir()
    nested.git("init", "-q")
    nested.write("inner", "2")
    ours = take_snapshot(project.open(), include=["n"])
    assert project.git("ls-tree", "-r", "--name-only", ours, "n").split() == [
        "n/file",
        "n/repo/inner",
    ]


def test_files_are_added_through_a_linked_directory_unless_git_knows_the_link(
    project: GitProject,
) -> None:
    project.write("real/file", "1")
    (project.root / "known").symlink_to("real")
    base(project)
    (project.root / "new").symlink_to("real")
    ours = take_snapshot(project.open(), include=["known/file", "new/file"])
    paths = project.git("ls-tree", "-r", "--name-only", ours).split()
    assert "new/file" in paths
    assert "known" in paths


@pytest.mark.parametrize("was", ["link", "a"])
def test_a_directory_where_git_has_something_else_is_added(project: GitProject, was: str) -> None:
    base(project)
    (project.root / was).unlink()
    project.write(f"{was}/new", "2")
    ours = take_snapshot(project.open(), include=[was])
    assert ours == project.tree_after_add(was)


def test_edited_contents(project: GitProject) -> None:
    base(project)
    project.write(".gitignore", "hidden\n")
    (project.root / "b").chmod(0o755)
    project.git("add", "b", ".gitignore")
    edited = {"a": b"new", "b": b"run", "d/new": b"n", "hidden": b"h"}
    ours = take_snapshot(project.open(), edited=edited)
    for path in ("a", "b", "d/new"):
        project.write(path, edited[path])
    assert ours == project.tree_after_add("d/new")
    with pytest.raises(UsageError, match="d: only a regular file"):
        take_snapshot(project.open(), edited={"d": b""})


def test_edits_go_where_links_lead(project: GitProject) -> None:
    base(project)
    for link, target in (("to_b", "b"), ("to_d", "d"), ("away", "../away")):
        (project.root / link).symlink_to(target)
        project.git("add", link)
    ours = take_snapshot(project.open(), edited={"to_b": b"new", "to_d/new": b"n"})
    project.write("b", b"new")
    project.write("d/new", b"n")
    assert ours == project.tree_after_add("d/new")
    with pytest.raises(UsageError, match="away: only a file of the repository"):
        take_snapshot(project.open(), edited={"away": b""})


@pytest.mark.parametrize("packed", [False, True])
def test_objects_can_go_to_another_repository(
    project: GitProject, tmp_path: Path, packed: bool
) -> None:
    base(project)
    clone = GitProject(tmp_path / "clone", project.env)
    project.git("clone", "-q", "--shared", str(project.root), str(clone.root))
    clone.write("a", "changed\n")
    clone.write("staged", "by a stage\n")
    clone.write("d/deep/staged", "too\n")
    clone.git("add", "staged", "d")
    clone.git("write-tree")
    if packed:
        clone.git("gc", "-q")
    ours = take_snapshot(clone.open(), objects=project.open().objects)
    assert ours == clone.tree_after_add()
    shutil.rmtree(clone.root)
    listed = project.git("ls-tree", "-r", "--name-only", ours).split()
    assert {"staged", "d/deep/staged"} <= set(listed)
    project.git("rev-list", "--objects", ours)


NAMES = st.sampled_from(["a", "b", "d", "d/x", "d/y", "d.x", "d-x", "e/f/g", "new", "e/new"])
ACTIONS = st.tuples(
    st.sampled_from(["write", "touch", "chmod", "remove", "link", "stage", "unstage", "intend"]),
    NAMES,
    st.sampled_from(["1\n", "2\n", "", "a\r\nb\n"]),
)


def act(project: GitProject, action: str, path: str, content: str) -> None:
    file = project.root / path
    if action in ("write", "link"):
        for above in reversed(file.relative_to(project.root).parents):
            if (project.root / above).is_symlink() or (project.root / above).is_file():
                (project.root / above).unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        file.unlink(missing_ok=True)
        if action == "write":
            file.write_bytes(content.encode())
        else:
            file.symlink_to("e")
    elif file.is_file() and not file.is_symlink():
        if action == "touch":
            file.touch()
        elif action == "chmod":
            file.chmod(file.stat().st_mode ^ stat.S_IXUSR)
        elif action == "remove":
            file.unlink()
    if action in ("stage", "intend") and os.path.lexists(file):
        flags = ["-N"] if action == "intend" else []
        subprocess.run(
            ["git", "add", *flags, path], cwd=project.root, env=project.env, capture_output=True,
            check=False,
        )  # fmt: skip
    if action == "unstage":
        project.git("rm", "-q", "-r", "--cached", "--ignore-unmatch", "-f", path)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions=st.lists(ACTIONS, max_size=8))
def test_any_worktree(git_env: dict[str, str], actions: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        project = GitProject(Path(directory) / "project", git_env)
        project.root.mkdir()
        project.git("init", "-q")
        for path in ("a", "d/x", "d/y", "d.x", "e/f/g"):
            project.write(path, "1\n")
        project.commit_all()
        for action in actions:
            act(project, *action)
        assert same_tree(project)


def test_what_is_nested_too_deeply_for_a_tree_is_refused(project: GitProject) -> None:
    project.commit_all("one")
    nest(project.root, 1100)
    try:
        with pytest.raises(GitError, match="nested too deeply"):
            take_snapshot(project.open(), include=["d"])
    finally:
        remove(str(project.root / "d"))
