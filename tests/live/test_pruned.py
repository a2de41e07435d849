"""Git prunes what no ref holds, and an experiment has its ref last.

`held.c`, preloaded into Git, lets it wait where it has looked at all refs and is about to prune.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.missing import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.conftest import Project

SCRIPT = """\
echo > ${AT}/started
read line < ${AT}/go
echo $1 > m.json && echo $1 > out.txt
"""
WAIT_S = 30.0


def _commits(project: Project) -> int:
    found = project.git("cat-file", "--batch-all-objects", "--batch-check")
    return sum(" commit " in line for line in found.splitlines())


def test_an_experiment_that_is_pruned_before_it_has_a_ref_is_stored_again(
    project: Project,
) -> None:
    project.setup(SCRIPT.replace("${AT}", str(project.place.root)))
    started, go = (project.place.root / name for name in ("started", "go"))
    os.mkfifo(started)
    os.mkfifo(go)
    process = project.start("run", "--temp", "-S", "x=1", "-n", "one")
    started.read_text()
    before = _commits(project)
    give_up = time.monotonic() + WAIT_S
    # The queue is told of the commit before there is a ref.
    with (project.place.repo / ".dvc/tmp/exprun/queue/journal.jsonl.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        go.write_text("\n")
        while _commits(project) == before:
            assert time.monotonic() < give_up
        project.git("gc", "--quiet", "--prune=now")
        assert _commits(project) == before
    assert process.wait(WAIT_S) == 0
    [ref] = project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    assert project.git("show", f"{ref}:params.yaml") == "x: 1\n"
    assert project.git("fsck", "--strict", "--no-dangling") == ""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of `held.c`."""
    compiler = shutil.which("cc")
    if compiler is None:
        missing("a C compiler")
    library = tmp_path_factory.mktemp("held") / "held.so"
    source = Path(__file__).with_name("held.c")
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return library


@contextmanager
def _pruning(project: Project, library: Path) -> Iterator[None]:
    """Git has found out what it will prune when the block begins, and has done so when it ends."""
    first = next(filter(_is_pruned_first, map(str, range(100_000))))
    project.write("first", first)
    name = project.git("hash-object", "-w", "first").strip()
    (project.place.repo / "first").unlink()
    reached, go = (project.place.root / name for name in ("reached", "go-on"))
    os.mkfifo(reached)
    os.mkfifo(go)
    env = {"LD_PRELOAD": library, "HELD_NAME": name[2:], "HELD_AT": reached, "HELD_UNTIL": go}
    with subprocess.Popen(
        ["git", "gc", "--quiet", "--prune=now"],
        cwd=project.place.repo,
        env=project.place.environ() | {key: str(value) for key, value in env.items()},
    ) as gc:
        assert reached.read_text() == ""
        yield
        go.write_text("")
        assert gc.wait(WAIT_S) == 0


def _is_pruned_first(text: str) -> bool:
    name = hashlib.sha1(f"blob {len(text)}\0{text}".encode()).hexdigest()
    return name.startswith("00")


@pytest.mark.parametrize("how", ["--temp", "--queue", "in the workspace"])
@pytest.mark.parametrize("fails", [False, True])
def test_what_is_stored_while_git_prunes_stays(
    project: Project, held: Path, how: str, fails: bool
) -> None:
    project.setup(f"echo $1 > m.json && echo $1 > out.txt && {'false' if fails else 'true'}")
    options = [how] if how.startswith("--") else []
    with _pruning(project, held):
        assert project.run("run", *options, "-S", "x=1", "-n", "one").code in (0, 1)
        if how == "--queue":
            assert project.run("run", "--run-all").code == fails
    assert project.git("fsck", "--strict", "--no-dangling") == ""
    refs = "refs/exprun/failed" if fails else "refs/exps"
    [ref] = project.git("for-each-ref", "--format=%(refname)", refs).split()
    assert project.git("show", f"{ref}:params.yaml") == "x: 1\n"


def test_a_large_file_of_a_queued_experiment_stays_while_git_prunes(
    project: Project, held: Path
) -> None:
    project.setup("echo $1 > m.json && wc -c < large > out.txt")
    project.write("large", "small\n")
    project.git("add", "large")
    project.git("commit", "-qm", "two")
    (project.place.repo / "large").write_bytes(bytes(33 << 20))
    with _pruning(project, held):
        assert project.run("run", "--queue", "-S", "x=1", "-n", "one").code == 0
    assert project.run("run", "--run-all").code == 0
    [ref] = project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    assert project.git("cat-file", "-s", f"{ref}:large") == f"{33 << 20}\n"
    assert project.git("fsck", "--strict", "--no-dangling") == ""


def test_what_the_workspace_held_stays_while_git_prunes(project: Project, held: Path) -> None:
    project.setup("echo $1 > m.json && echo $1 > out.txt")
    assert project.run("run", "--temp", "-S", "x=1", "-n", "one").code == 0
    project.write("notes", "mine\n")
    project.write("train.sh", "# mine\n")
    with _pruning(project, held):
        assert project.run("apply", "one").code == 0
    assert project.run("apply", "--undo").code == 0
    assert (project.place.repo / "notes").read_text() == "mine\n"
    assert (project.place.repo / "train.sh").read_text() == "# mine\n"
    assert project.git("fsck", "--strict", "--no-dangling") == ""
