"""Every way to run an experiment, in every kind of repository: DVC's tree, and nothing touched."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.environment import Place
from tests.support.program import git, git_state, make_project, run
from tests.support.project import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.tools import Tool

PIPELINE = """\
stages:
  copy:
    cmd: cp -R in data && git log --format=%s -1 && cp */code got
    deps: [in]
    outs: [data, got]
  train:
    cmd: cat data/* params.yaml > model && cp params.yaml metrics.yaml
    deps: [data]
    params: [lr]
    outs: [model]
    metrics: [metrics.yaml: {cache: false}]
"""
HOOKS = (
    "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-checkout", "post-merge",
    "post-rewrite", "post-index-change", "reference-transaction", "pre-push",
)  # fmt: skip


def _make(place: Place) -> None:
    make_project(
        place,
        PIPELINE,
        write("params.yaml", "lr: 0\n"),
        write("in/-dash", "in\n"),
        write("in/new\nline 'q\" ü\\", "in\n"),
        write("lib/code", "code\n"),
        write("far/away", "away\n"),
        write(".gitignore", "/data\n/got\n/model\n"),
    )


def _clone(place: Place, *how: str) -> None:
    origin = place.root / "origin"
    place.repo.rename(origin)
    place.repo.mkdir()
    git(place, "clone", "--quiet", *how, f"file://{origin}", ".")


def _shallow(place: Place) -> None:
    git(place, "commit", "--quiet", "--allow-empty", "-m", "second")
    _clone(place, "--depth=1")
    assert git(place, "rev-parse", "--is-shallow-repository") == "true\n"


def _partial(place: Place) -> None:
    git(place, "config", "uploadpack.allowFilter", "true")
    _clone(place, "--filter=blob:none")


def _borrowing(place: Place) -> None:
    _clone(place, "--shared")


def _linked(place: Place) -> None:
    main = place.root / "main"
    place.repo.rename(main)
    place.repo.mkdir()
    git(place, "-C", str(main), "worktree", "add", "--quiet", "-b", "linked", str(place.repo))


def _submodule(place: Place) -> None:
    """A submodule of the project, and the project as one of another."""
    lib, top = place.root / "lib", place.root / "top"
    shutil.move(place.repo / "lib", lib)
    git(place, "-C", str(lib), "init", "--quiet")
    git(place, "-C", str(lib), "add", "--all")
    git(place, "-C", str(lib), "commit", "--quiet", "-m", "lib")
    git(place, "rm", "-r", "--quiet", "--cached", "lib")
    git(place, "submodule", "--quiet", "add", str(lib), "lib")
    git(place, "commit", "--quiet", "-a", "-m", "with a submodule")
    origin = place.root / "origin"
    place.repo.rename(origin)
    place.repo.mkdir()
    git(place, "init", "--quiet", str(top))
    git(place, "-C", str(top), "submodule", "--quiet", "add", str(origin), "sub")
    git(place, "-C", str(top), "submodule", "--quiet", "update", "--init", "--recursive")
    place.repo.rmdir()
    place.repo.symlink_to(top / "sub")


def _separate(place: Place) -> None:
    git(place, "init", "--quiet", "--separate-git-dir", str(place.root / "elsewhere.git"))


def _sparse(place: Place) -> None:
    git(place, "sparse-checkout", "set", "lib", "in", ".dvc")
    assert not (place.repo / "far").exists()


def _sparse_partial(place: Place) -> None:
    git(place, "config", "uploadpack.allowFilter", "true")
    git(place, "config", "uploadpack.allowAnySHA1InWant", "true")
    _clone(place, "--no-checkout", "--filter=blob:none")
    git(place, "sparse-checkout", "set", "lib", "in", ".dvc")
    git(place, "checkout", "--quiet", "main")
    missing = git(place, "rev-list", "--objects", "--all", "--missing=print")
    assert "\n?" in missing


def _old_sparse_partial(place: Place) -> None:
    """As Git before 2.24 told of it."""
    _sparse_partial(place)
    git(place, "config", "--unset", "remote.origin.promisor")
    git(place, "config", "extensions.partialClone", "origin")


def _crlf(place: Place) -> None:
    git(place, "config", "core.autocrlf", "true")
    git(place, "rm", "-r", "--quiet", "--cached", ".")
    git(place, "reset", "--quiet", "--hard")
    assert (place.repo / "params.yaml").read_bytes() == b"lr: 0\r\n"


def _detached(place: Place) -> None:
    git(place, "checkout", "--quiet", "--detach")


def _hooks(place: Place) -> None:
    for name in HOOKS:
        hook = place.repo / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)


def _signing(place: Place) -> None:
    git(place, "config", "commit.gpgsign", "true")
    git(place, "config", "gpg.program", "false")


def _left_locks(place: Place) -> None:
    """What a git that was killed leaves; nobody may write the configuration either."""
    for name in ("index", "HEAD", "packed-refs", "config"):
        (place.repo / f".git/{name}.lock").touch()
    git(place, "config", "--list")


WHERE: dict[str, Callable[[Place], None]] = {
    "shallow": _shallow,
    "partial": _partial,
    "borrowing": _borrowing,
    "linked": _linked,
    "submodule": _submodule,
    "separate git dir": _separate,
    "sparse": _sparse,
    "sparse and partial": _sparse_partial,
    "sparse and partial, of old": _old_sparse_partial,
    "crlf": _crlf,
    "detached": _detached,
    "hooks": _hooks,
    "signing": _signing,
    "left locks": _left_locks,
}
WAYS = (
    ("run", "--temp", "-f", "-n", "temp", "-S", "lr=1"),
    ("run", "--queue", "-f", "-n", "queued", "-S", "lr=1"),
    ("run", "--run-all"),
    ("run", "-f", "-n", "here", "-S", "lr=1"),
    ("apply", "queued"),
)
# A lock or a hook fails it; with its Git directory elsewhere it forgets the -S; and its
# commit lacks what is not checked out.
TOO_MUCH_FOR_DVC = {
    "left locks",
    "hooks",
    "separate git dir",
    "sparse",
    "sparse and partial",
    "sparse and partial, of old",
}


def _trees(place: Place) -> dict[str, str]:
    refs = git(place, "for-each-ref", "--format=%(refname:lstrip=4) %(tree)", "refs/exps/??/*/*")
    return dict(line.split() for line in refs.splitlines())


def _run_everywhere(place: Place, exprun: Tool) -> str:
    """The tree of the experiment, which is the same however it is run."""
    before = git_state(place)
    for way in WAYS:
        ended = exprun.run(way, place=place)
        assert ended.code == 0, ended
        assert git_state(place) == before
    trees = _trees(place)
    assert trees.keys() == {"temp", "queued", "here"}
    [tree] = set(trees.values())
    return tree


@pytest.mark.parametrize("where", WHERE)
def test_kinds_of_repositories(place: Place, where: str, exprun: Tool, dvc: Tool) -> None:
    _make(place)
    WHERE[where](place)

    tree = _run_everywhere(place, exprun)

    if where not in TOO_MUCH_FOR_DVC:
        ended = dvc.run(("exp", "run", "-f", "-n", "dvc", "-S", "lr=1"), place=place)
        assert ended.code == 0, ended
        assert _trees(place)["dvc"] == tree
    else:
        assert git(place, "show", f"{tree}:params.yaml") == "lr: 1\n"
        assert git(place, "show", f"{tree}:far/away") == "away\n"


def test_a_shared_repository_stays_writable_for_its_group(place: Place, exprun: Tool) -> None:
    _make(place)
    directories = [path for path in (place.repo / ".git").rglob("*") if path.is_dir()]
    for path in directories:
        path.chmod(0o2775)

    _run_everywhere(place, exprun)

    made = {
        path
        for part in ("objects", "refs")
        for path in (place.repo / ".git" / part).rglob("*")
        if path.is_dir()
    }
    assert not made <= set(directories)
    assert {oct(path.stat().st_mode & 0o7070) for path in made} == {"0o2070"}


@pytest.mark.parametrize("umask", [0o077, 0o022])
@pytest.mark.parametrize("shared", ["group", "all", "0640", "0660", "true", "2", "umask"])
def test_modes_are_those_of_a_shared_repository(place: Place, shared: str, umask: int) -> None:
    _make(place)
    shutil.rmtree(place.repo / ".git")
    before = os.umask(umask)
    try:
        git(place, "init", "--quiet", f"--shared={shared}")
        git(place, "add", "--all")
        git(place, "commit", "--quiet", "-m", "start")
        # As Git itself adds to it.
        git(place, "update-ref", "refs/by/git/ref", "HEAD")
        (place.root / "new").write_text("new")
        by_git = git(place, "hash-object", "-w", str(place.root / "new")).strip()
        git_dir = place.repo / ".git"
        theirs = _mode(git_dir / "refs/by/git/ref"), _mode(git_dir / "refs/by/git")
        known = set(git_dir.rglob("*"))
        assert run(place, "run", "--temp", "-n", "one", "-S", "lr=1").code == 0
        assert run(place, "run", "--queue", "-n", "two", "-S", "lr=2").code == 0
    finally:
        os.umask(before)

    ours = set(git_dir.rglob("*")) - known
    refs = {path for path in ours if path.is_relative_to(git_dir / "refs")}
    assert {_mode(path) for path in refs if path.is_file()} == {theirs[0]}
    assert {_mode(path) for path in ours if path.is_dir()} == {theirs[1]}
    objects = {_mode(path) for path in ours - refs if path.is_file()}
    assert objects == {_mode(git_dir / "objects" / by_git[:2] / by_git[2:])}


def _mode(path: Path) -> str:
    return oct(path.stat().st_mode)


def test_in_a_hook_a_stage_elsewhere_harms_nothing(place: Place, exprun: Tool) -> None:
    make_project(
        place,
        "stages:\n  s: {cmd: git add --all && git commit -q --allow-empty -m x > o, outs: [o]}\n",
    )
    git_dir = place.repo / ".git"
    env = {"GIT_DIR": str(git_dir), "GIT_INDEX_FILE": str(git_dir / "index"), "GIT_PREFIX": ""}
    before = git_state(place)

    ended = exprun.run(("run", "--temp", "-n", "e"), place=place, env=env)

    assert ended.code == 0, ended
    assert git_state(place) == before
    assert _trees(place).keys() == {"e"}


def test_a_gitignore_that_a_stage_removes_hides_no_failure(place: Place, exprun: Tool) -> None:
    make_project(
        place,
        "stages:\n"
        "  one: {cmd: echo 1 > one, outs: [one]}\n"
        "  two: {cmd: rm .gitignore && exit 3, deps: [one], outs: [two]}\n",
    )

    failed = exprun.run(("run",), place=place)

    assert failed.code == 1
    assert "failed to reproduce 'two'" in failed.stderr
    assert not (place.repo / ".gitignore").exists()


def test_a_gitignore_in_another_encoding_keeps_its_bytes(place: Place, exprun: Tool) -> None:
    make_project(place, "stages:\n  s: {cmd: echo 1 > o, outs: [o]}\n")
    file = place.repo / ".gitignore"
    file.write_bytes(b"/\xe9t\xe9\n")

    done = exprun.run(("repro",), place=place)

    assert done.code == 0, done
    assert file.read_bytes() == b"/\xe9t\xe9\n/o\n"


@pytest.mark.parametrize("fails", [False, True])
def test_a_locked_index_does_not_decide_how_a_run_ends(
    place: Place, fails: bool, exprun: Tool
) -> None:
    make_project(
        place,
        "stages:\n"
        "  one: {cmd: echo 1 > one, outs: [one]}\n"
        "  two:\n    deps: [one]\n"
        "    cmd: touch new && git add new && touch .git/index.lock && test $GO\n",
    )

    ended = exprun.run(("run", "-n", "e"), place=place, env={"GO": "" if fails else "1"})

    assert ended.code == int(fails), ended
    assert ("failed to reproduce 'two'" in ended.stderr) is fails
    assert "index stays there" in ended.stderr
    assert (place.repo / ".gitignore").exists() is not fails
    assert _trees(place).keys() == (set() if fails else {"e"})


@pytest.mark.parametrize("command", [("remove", "one"), ("rename", "one", "two")])
def test_a_lock_that_is_in_the_way_is_named(
    place: Place, command: tuple[str, ...], exprun: Tool
) -> None:
    _make(place)
    assert exprun.run(("run", "--temp", "-n", "one"), place=place).code == 0
    git(place, "pack-refs", "--all")
    lock = place.repo / ".git/packed-refs.lock"
    lock.touch()

    refused = exprun.run(command, place=place)

    assert refused.code == 2
    assert f"remove {lock} if no git process is running" in refused.stderr
    assert _trees(place).keys() == {"one"}
    lock.unlink()
    assert exprun.run(command, place=place).code == 0


def test_a_lock_in_the_way_of_a_result_is_named(place: Place, exprun: Tool) -> None:
    _make(place)
    head = git(place, "rev-parse", "HEAD").strip()
    lock = place.repo / f".git/refs/exps/{head[:2]}/{head[2:]}/one.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()

    failed = exprun.run(("run", "--temp", "-n", "one"), place=place)

    assert failed.code == 1
    assert f"remove {lock} if no git process is running" in failed.stderr
    lock.unlink()
    assert exprun.run(("retry", "one"), place=place).code == 0


def test_a_refused_run_leaves_the_parameters_as_they_were(place: Place, exprun: Tool) -> None:
    _make(place)
    git(place, "update-ref", "refs/exprun", "HEAD")  # No ref can lie below it.
    before = git_state(place)

    refused = exprun.run(("run", "-S", "lr=1"), place=place)

    assert refused.code == 2, refused
    assert "lies below another ref" in refused.stderr
    assert (place.repo / "params.yaml").read_text() == "lr: 0\n"
    assert git_state(place) == before


@pytest.mark.parametrize(
    "name", ["with space", "ünïcödé", "a'b\"c", "$x;y", "-dash", "%41", "new\nline"]
)
def test_odd_paths(tmp_path: Path, name: str, exprun: Tool) -> None:
    place = Place(tmp_path / name)
    place.prepare()
    _make(place)

    _run_everywhere(place, exprun)
