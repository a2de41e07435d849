"""Outputs that experiments of one queue have in common stay in the workspaces that they share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live.conftest import Project
    from tests.support.tools import Tool

PIPELINE = """\
stages:
  train:
    cmd: sh train.sh ${x}
    deps: [train.sh, data]
    params: [x]
    outs: [out.txt]
    metrics: [m.json]
"""
TRAIN = """\
set -e
echo $(stat -c %i data/sub/b) >> SEEN
find data one.bin | sort > found
printf 'data\\ndata/a\\ndata/sub\\ndata/sub/b\\none.bin\\n' | cmp - found
cat data/a data/sub/b one.bin > m.txt
cmp - m.txt <<END
1
2
3
END
test $(stat -Lc %a data/a) = MODE
"""


def _prepare(project: Project, dvc: Tool, mischief: str, *, links: str = "copy") -> None:
    project.write(".dvc/config", f"[cache]\n    type = {links}\n")
    script = TRAIN.replace("SEEN", str(project.place.root / "seen")) + mischief
    script = script.replace("MODE", "644" if links == "copy" else "444")
    project.setup(script + "echo $1 > m.json; echo $1 > out.txt\n")
    project.write("dvc.yaml", PIPELINE)
    project.write(".dvcignore", "*.tmp\n")
    project.write("data/a", "1\n")
    project.write("data/sub/b", "2\n")
    project.write("one.bin", "3\n")
    for name in ("data", "one.bin"):
        assert dvc.run(["add", name], place=project.place).code == 0
    project.git("add", "-A")
    project.git("commit", "-qm", "data")


def _run(project: Project, count: int) -> list[str]:
    """The experiments' trees, and how many workspaces had the data made anew."""
    values = ",".join(str(x) for x in range(1, count + 1))
    assert project.run("run", "--queue", "-n", "e", "-S", f"x={values}").code == 0
    done = project.run("run", "--run-all", "-j", "1")
    assert done.code == 0, done.stdout + done.stderr
    metrics = json.loads(project.run("show", "--json").stdout)[-1]["experiments"]
    found = [each["revs"][0]["data"]["metrics"]["m.json"]["data"] for each in metrics]
    assert sorted(found) == list(range(1, count + 1))
    return (project.place.root / "seen").read_text().split()


@pytest.mark.parametrize("links", ["hardlink", "symlink"])
def test_linked_data_is_whole_every_time(project: Project, dvc: Tool, links: str) -> None:
    _prepare(project, dvc, "", links=links)
    assert len(_run(project, 6)) == 6


def test_unchanged_data_is_not_copied_again(project: Project, dvc: Tool) -> None:
    _prepare(project, dvc, "")
    seen = _run(project, 8)
    assert len(seen) == 8
    # As many as there may be workspaces of -j 1.
    assert len(set(seen)) <= 4


@pytest.mark.parametrize(
    "mischief",
    [
        "touch data/left.tmp",
        "mkdir data/empty",
        "echo 9 > data/a",
        "echo 9 >> one.bin",
        "rm data/sub/b",
        "rm -r data; mkdir data; echo 1 > data/a",
        "mv data elsewhere; ln -s elsewhere data",
        "chmod 600 data/a",
        "chmod -R a-w data",
    ],
)
def test_what_a_stage_does_to_its_data_is_not_seen_by_the_next(
    project: Project, dvc: Tool, mischief: str
) -> None:
    # What it reads must be as it was when it ends, so the deed is done by one that it leaves.
    _prepare(project, dvc, "")
    project.write(
        "dvc.yaml",
        PIPELINE.replace("deps: [train.sh, data]", "deps: [train.sh]")
        + f"  spoil:\n    cmd: {mischief}\n    deps: [out.txt]\n",
    )
    project.git("add", "-A")
    project.git("commit", "-qm", "mischief")
    assert len(_run(project, 6)) == 6


def test_what_another_experiment_does_not_have_is_gone(project: Project, dvc: Tool) -> None:
    _prepare(project, dvc, "")
    assert project.run("run", "--queue", "-n", "with", "-S", "x=1,2,3,4").code == 0
    project.git("rm", "-q", "data.dvc")
    project.write("dvc.yaml", PIPELINE.replace(", data]", "]"))
    project.write("train.sh", "test ! -e data && echo $1 > m.json && echo $1 > out.txt\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "without")
    assert project.run("run", "--queue", "-n", "without", "-S", "x=1,2,3,4").code == 0
    done = project.run("run", "--run-all", "-j", "1")
    assert done.code == 0, done.stdout + done.stderr


def test_what_git_tracks_by_now_is_not_taken_for_what_was_left(project: Project, dvc: Tool) -> None:
    _prepare(project, dvc, "")
    assert project.run("run", "--queue", "-n", "before", "-S", "x=1,2,3,4").code == 0
    project.git("rm", "-q", "data.dvc", "one.bin.dvc")
    project.write(".gitignore", "/out.txt\n")
    project.write(
        "train.sh", "cat data/a data/sub/b one.bin > m.json.txt\necho $1 | tee m.json out.txt\n"
    )
    project.git("add", "-A")
    project.git("commit", "-qm", "tracked")
    assert project.run("run", "--queue", "-n", "tracked", "-S", "x=1,2,3,4").code == 0
    done = project.run("run", "--run-all", "-j", "1")
    assert done.code == 0, done.stdout + done.stderr
    for number in range(1, 5):
        [ref] = project.git(
            "for-each-ref", "--format=%(refname)", f"refs/exps/**/tracked-{number}"
        ).split()
        tracked = project.git("ls-tree", "-r", "--name-only", ref).split()
        assert {"data/a", "data/sub/b", "one.bin"} <= set(tracked)


def _run_temp(project: Project, x: int) -> str:
    """Which inode the data had that the experiment saw."""
    done = project.run("run", "--temp", "-n", f"t{x}", "-S", f"x={x}")
    assert done.code == 0, done.stdout + done.stderr
    return (project.place.root / "seen").read_text().split()[-1]


def _kept(project: Project) -> set[str]:
    """What there is of a workspace that was kept."""
    place = project.place.repo / ".dvc/tmp/exps/exprun/0/root"
    return {str(path.relative_to(place)) for path in place.rglob("*") if ".git" not in path.parts}


def test_linked_data_is_kept_for_the_next_command(project: Project, dvc: Tool) -> None:
    _prepare(project, dvc, "echo > droppings; ", links="symlink")
    _run_temp(project, 1)
    kept = _kept(project)
    assert {"data/a", "data/sub/b", "one.bin", "dvc.yaml", "params.yaml"} <= kept
    assert "droppings" not in kept
    link = project.place.repo / ".dvc/tmp/exps/exprun/0/root/data/sub/b"
    made = link.lstat().st_ctime_ns
    _run_temp(project, 2)
    assert link.lstat().st_ctime_ns == made
    # How Git converts files is no matter of what it does not have.
    project.git("config", "core.autocrlf", "input")
    _run_temp(project, 7)
    assert link.lstat().st_ctime_ns == made

    # Whatever happens to it meanwhile, the next experiment has what it should.
    for number, harm in enumerate(
        ("rm data/a", "ln -sf b data/sub/b", "touch data/x", "rm -r ../root"), 3
    ):
        subprocess.run(harm, shell=True, cwd=link.parent.parent.parent, check=False)
        _run_temp(project, number)


def test_linked_data_is_kept_whichever_workspace_has_it(project: Project, dvc: Tool) -> None:
    """Of two runs at a time the first fails, so it is the workspace of the second that is kept."""
    fifo = project.place.root / "fifo"
    for name in ("began-1", "began-2", "code-1", "code-2"):
        os.mkfifo(f"{fifo}-{name}")
    wait = f"echo > {fifo}-began-$1; read code < {fifo}-code-$1; test $code = 0"
    _prepare(project, dvc, f"test $1 = 3 || {{ {wait}; }}\n", links="symlink")
    runs = []
    for x in (1, 2):
        runs.append(project.start("run", "--temp", "-S", f"x={x}"))
        Path(f"{fifo}-began-{x}").read_text()
    for x, code, run in zip((1, 2), (1, 0), runs, strict=True):
        Path(f"{fifo}-code-{x}").write_text(f"{code}\n")
        assert run.wait(30) == code
    slots = project.place.repo / ".dvc/tmp/exps/exprun"
    [kept] = slots.iterdir()
    link = kept / "root/data/sub/b"
    made = link.lstat().st_ctime_ns
    _run_temp(project, 3)
    assert list(slots.iterdir()) == [kept]
    assert link.lstat().st_ctime_ns == made


def test_what_the_cache_has_lost_is_missing_though_a_workspace_was_kept(
    project: Project, dvc: Tool
) -> None:
    _prepare(project, dvc, "", links="hardlink")
    _run_temp(project, 1)
    shutil.rmtree(project.place.repo / "data")
    kept = project.place.repo / ".dvc/tmp/exps/exprun/0/root/data/sub/b"
    # Another workspace may have it still.
    os.link(kept, project.place.root / "elsewhere")
    [lost] = [
        path
        for path in (project.place.repo / ".dvc/cache/files").rglob("*")
        if path.is_file() and path.samefile(kept)
    ]
    lost.unlink()
    for tool, command in ((project.tool, ["run"]), (dvc, ["exp", "run"])):
        done = tool.run([*command, "--temp", "-S", "x=2"], place=project.place)
        assert done.code
        assert "failed to reproduce 'data.dvc'" in done.stdout + done.stderr


def test_copies_of_data_are_not_kept(project: Project, dvc: Tool) -> None:
    _prepare(project, dvc, "", links="hardlink")
    _run_temp(project, 1)
    assert "data/a" in _kept(project)
    project.write(".dvc/config", "[cache]\n    type = copy\n")
    project.write("train.sh", (project.place.repo / "train.sh").read_text().replace("444", "644"))
    _run_temp(project, 2)
    assert not _kept(project)


@pytest.mark.parametrize(("links", "is_kept"), [("hardlink", True), ("reflink,hardlink", False)])
def test_what_takes_space_is_not_kept(
    project: Project, dvc: Tool, links: str, is_kept: bool
) -> None:
    # With reflink first, what a stage has made stays as it is.
    _prepare(project, dvc, "", links=links)
    _run_temp(project, 1)
    assert ("out.txt" in _kept(project)) == is_kept
