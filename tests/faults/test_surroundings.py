"""A good stage succeeds however exprun is started; `test_repositories` is about where."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.environment import Place
from tests.support.program import (
    COMMAND,
    Gate,
    Program,
    environ_of,
    experiments,
    git,
    git_state,
    make_project,
    run,
)
from tests.support.project import write

if TYPE_CHECKING:
    from tests.support.tools import Tool

PIPELINE = "stages:\n  s: {cmd: 'cat in > ö; echo ✓', deps: [in], outs: [ö]}\n"
GATED = """\
stages:
  s: {{cmd: 'echo > {root}/gate; until [ -e {root}/go ]; do sleep 0.05; done', deps: [in]}}
"""
IN = write("in", "in\n")


def _surroundings(place: Place) -> dict[str, dict[str, str | None]]:
    locked = place.root / "locked"
    locked.mkdir(mode=0o500)
    return {
        "no home": {"HOME": None, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None},
        "read-only home": {"HOME": str(locked), "XDG_CACHE_HOME": None},
        "home is a file": {"HOME": str(place.repo / "in"), "XDG_CACHE_HOME": None},
        "C locale": {"LC_ALL": "C", "LANG": None},
        "no locale": {"LC_ALL": None, "LANG": None},
        "ASCII streams": {"PYTHONIOENCODING": "ascii"},
        "no shell": {"SHELL": None},
        "no path but the system's": {"PATH": os.defpath},
    }


@pytest.mark.parametrize(
    "name",
    [
        "no home",
        "read-only home",
        "home is a file",
        "C locale",
        "no locale",
        "ASCII streams",
        "no shell",
        "no path but the system's",
    ],
)
def test_odd_environments(place: Place, name: str) -> None:
    make_project(place, PIPELINE, IN)
    git(place, "config", "user.name", "Ada")
    git(place, "config", "user.email", "ada@example.com")

    env = _surroundings(place)[name]

    queued = run(place, "run", "--queue", "-f", "-n", "later", env=env)
    here = run(place, "run", "-n", "here", env=env)
    later = run(place, "run", "--run-all", env=env)

    assert (queued.code, here.code, later.code) == (0, 0, 0), (queued, here, later)
    assert set(experiments(place)) == {"here", "later"}
    assert (place.repo / "ö").read_text() == "in\n"


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"GIT_AUTHOR_DATE": "2024-01-01T00:00:00"}, "invalid Git timestamp"),
        ({"GIT_COMMITTER_DATE": "2024-01-01T00:00:00"}, "invalid Git timestamp"),
        ({"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}, "safe.directory"),
    ],
    ids=["author", "committer", "owner"],
)
def test_what_git_would_refuse_in_the_end_is_refused_at_once(
    place: Place, env: dict[str, str], reason: str
) -> None:
    make_project(place, "stages:\n  s: {cmd: cat in > ö; touch ran, deps: [in], outs: [ö]}\n", IN)
    assert run(place, "run", "--queue", "-n", "later").code == 0

    for arguments in ("-n", "here"), ("-n", "t", "--temp"), ("-n", "q", "--queue"), ("--run-all",):
        ended = run(place, "run", *arguments, env=env)
        assert ended.code == 3
        assert reason in ended.stderr
        assert "Running stage" not in ended.stdout

    assert run(place, "repro", env=env).code == 0
    assert run(place, "run", "--run-all").code == 0
    assert set(experiments(place)) == {"later"}


def test_what_needs_no_state_goes_on_where_the_state_is_somebody_elses(place: Place) -> None:
    make_project(place, PIPELINE, IN, write("params.yaml", "x: 0\n"))
    assert run(place, "run", "-n", "e").code == 0
    state = place.repo / ".dvc/tmp/exprun"
    # Root may read what nobody may, unless it gives that up.
    caps = "-dac_override,-dac_read_search"
    bound = ["setpriv", "--bounding-set", caps] if os.geteuid() == 0 else []

    def said(*args: str) -> tuple[int, str]:
        ended = subprocess.run(
            [*bound, *COMMAND, *args],
            cwd=place.repo,
            env=environ_of(place),
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ended.returncode, ended.stdout + ended.stderr

    state.chmod(0)
    try:
        assert said("status") == (0, "Data and pipelines are up to date.\n")
        assert said("repro", "--dry") == (0, "Stage 's' didn't change, skipping\n")
        assert said("stages")[0] == 0
        for args in (("show",), ("run", "-n", "f"), ("queue", "status")):
            code, text = said(*args)
            assert code == 3
            assert text.startswith(f"ERROR: {state}/") and text.endswith(": Permission denied\n")
            assert text.count("\n") == 1
    finally:
        state.chmod(0o700)


def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    place = Place(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")))
    try:
        place.prepare()
    except OSError:
        pytest.skip("the file system takes text only")
    make_project(place, PIPELINE, IN)

    ended = run(place, "run", "-n", "e")

    assert ended.code == 0, ended


def test_a_directory_that_is_gone(place: Place) -> None:
    make_project(place, PIPELINE, IN)
    gone = place.root / "gone"
    for args in (("list",), ("--cd", "repo", "list"), ("--cd", str(place.repo), "list")):
        gone.mkdir()
        done = subprocess.run(
            ["sh", "-c", 'rmdir "$0" && exec "$@"', gone, *COMMAND, *args],
            cwd=gone,
            env=environ_of(place),
            capture_output=True,
            text=True,
            timeout=60,
        )
        if args[1:2] == (str(place.repo),):
            assert (done.returncode, done.stderr) == (0, "")
        else:
            assert done.returncode == 2
            assert done.stderr.startswith("ERROR: the current directory has been removed\n")


def test_a_project_below_the_repository(place: Place, exprun: Tool) -> None:
    make_project(place, "stages: {}\n")
    shutil.move(place.repo / ".dvc", place.root / "dvc")
    (place.repo / "sub").mkdir()
    shutil.move(place.root / "dvc", place.repo / "sub/.dvc")
    (place.repo / "dvc.yaml").unlink()
    (place.repo / "sub/dvc.yaml").write_text(PIPELINE)
    (place.repo / "sub/in").write_text("in\n")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "-m", "sub")
    before = git_state(place)

    here = exprun.run(("run", "-n", "here"), place=place, cwd="sub")
    temp = exprun.run(("run", "-n", "temp", "--temp", "-f"), place=place, cwd="sub")

    assert (here.code, temp.code) == (0, 0), (here, temp)
    assert "sub/dvc.lock" in git(place, "ls-tree", "-r", "--name-only", _ref(place, "temp"))
    assert git_state(place) == before


def _ref(place: Place, name: str) -> str:
    refs = git(place, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return next(ref for ref in refs if ref.endswith(f"/{name}"))


def test_staged_changes_and_the_stash_stay(place: Place, exprun: Tool) -> None:
    make_project(place, PIPELINE, IN, write("other", "1\n"))
    (place.repo / "other").write_text("stashed\n")
    git(place, "stash")
    (place.repo / "other").write_text("staged\n")
    git(place, "add", "other")
    (place.repo / "other").write_text("edited\n")
    before: dict[str, Any] = git_state(place)

    ended = exprun.run(("run", "-n", "e"), place=place)

    assert ended.code == 0, ended
    assert git_state(place) == before
    assert git(place, "show", f"{_ref(place, 'e')}:other") == "edited\n"
    assert (place.repo / "other").read_text() == "edited\n"


def _leave_conflict(place: Place) -> None:
    oid = git(place, "rev-parse", "HEAD:in").strip()
    subprocess.run(
        ["git", "update-index", "--index-info"],
        cwd=place.repo, env=place.environ(), input=f"100644 {oid} 2\tin\n".encode(), check=True,
        timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    ["run -n e", "run -n e --temp", "run -n e --queue", "run -S x=1,2", "apply HEAD"],
)
def test_what_a_merge_has_left_unresolved_is_refused(
    place: Place, exprun: Tool, command: str
) -> None:
    make_project(place, PIPELINE, IN, write("params.yaml", "x: 0\n"))
    _leave_conflict(place)
    before = git_state(place)

    ended = exprun.run(command.split(), place=place)

    assert ended.code == 2, ended
    assert "ERROR: the git index has unresolved conflicts: in\n" in ended.stderr
    assert git_state(place) == before
    assert exprun.run(("queue", "status"), place=place).stdout == "No experiments in the queue.\n"
    assert not (place.repo / "ö").exists()


def test_a_merge_that_was_begun_meanwhile_fails_the_experiment(place: Place) -> None:
    make_project(place, GATED.format(root=place.root), IN)
    with Gate(place.root / "gate") as gate, Program(place, "run", "-n", "e") as program:
        gate.passed()
        _leave_conflict(place)
        (place.root / "go").touch()
        ended = program.end()

    assert ended.code == 1, ended
    assert "ERROR: the git index has unresolved conflicts: in\n" in ended.stderr
    assert experiments(place) == []


@pytest.mark.parametrize("name", ["commondir", "config", "packed-refs", "refs/heads/main", "index"])
def test_what_nobody_will_ever_write_to_is_not_waited_for(place: Place, name: str) -> None:
    make_project(place, PIPELINE, IN)
    path = place.repo / ".git" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)

    ended = run(place, "run", "--queue")

    assert ended.code == 3, ended
    assert ended.stderr == f"ERROR: {path}: Not a regular file\n"


def test_what_cannot_even_be_looked_at_stays_in_the_queue(place: Place) -> None:
    make_project(place, PIPELINE, IN)
    assert run(place, "run", "--queue", "-n", "one").code == 0
    head = git(place, "rev-parse", "HEAD").strip()
    ref = place.repo / f".git/refs/exps/{head[:2]}/{head[2:]}/one"
    ref.parent.mkdir(parents=True)
    os.mkfifo(ref)

    ended = run(place, "run", "--run-all")

    assert ended.code == 1, ended
    assert ended.stderr == (
        f"WARNING: experiment 'one' is not started: {ref}: not a regular file\n"
        "WARNING: failed experiment(s): one\n"
    )
    ref.unlink()
    assert run(place, "run", "--run-all").code == 0
    assert experiments(place) == ["one"]


def test_attributes_that_nobody_will_ever_write_are_not_waited_for(place: Place) -> None:
    make_project(place, PIPELINE, IN, write("new/file", "a\n"))
    path = place.repo / "new/.gitattributes"
    (place.repo / "new/file").write_text("b\r\n")
    os.mkfifo(path)

    ended = run(place, "run", "--queue")

    assert ended.code == 3, ended
    assert ended.stderr == f"ERROR: {path}: Not a regular file\n"
