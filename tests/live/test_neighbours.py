"""Projects that share a Git repository: one does not take what another keeps in it for its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Project

SCRIPT = "echo $1 > m.json && echo $1 > out.txt && test $1 != 2\n"


@pytest.fixture(params=["linked worktree", "project below", "project below in another worktree"])
def neighbour(request: pytest.FixtureRequest, project: Project) -> Path:
    """Where the other project is."""
    project.setup(SCRIPT)
    at = project.place.repo
    if "below" in request.param:
        for name in ("dvc.yaml", "train.sh", "params.yaml", ".dvc/config", ".dvc/.gitignore"):
            target = at / "below" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((at / name).read_bytes())
        project.git("add", "-A")
        project.git("commit", "-qm", "below")
    if "worktree" in request.param:
        at = project.place.root / "linked"
        project.git("worktree", "add", "-q", str(at))
    return at / "below" if "below" in request.param else at


@pytest.mark.parametrize("tidies", ["here", "there"])
def test_what_is_queued_or_has_failed_is_kept_whoever_tidies(
    project: Project, neighbour: Path, tidies: str
) -> None:
    where = {"here": str(project.place.repo), "there": str(neighbour)}
    for name, directory in where.items():
        queued = project.run("--cd", directory, "run", "--queue", "-S", "x=1", "-n", f"q-{name}")
        assert queued.code == 0, queued.stderr
        failed = project.run("--cd", directory, "run", "--temp", "-S", "x=2", "-n", f"f-{name}")
        assert failed.code == 1, failed.stderr
    assert project.run("--cd", where[tidies], "run", "--run-all").code == 0
    assert project.run("--cd", where[tidies], "queue", "remove", "--all").code == 0
    other = "there" if tidies == "here" else "here"
    kept = project.git("for-each-ref", "refs/exprun")
    assert len(kept.splitlines()) == 3  # what is queued; what has failed, and its beginning

    project.git("gc", "--quiet", "--prune=now")
    changed = project.run("--cd", where[other], "diff", "HEAD", f"f-{other}")
    assert changed.code == 0, changed.stderr
    done = project.run("--cd", where[other], "run", "--run-all")
    assert done.code == 0, done.stderr
    assert project.run("--cd", where[other], "queue", "remove", "--all").code == 0
    assert project.git("for-each-ref", "refs/exprun") == ""


def test_what_was_applied_elsewhere_is_not_undone_here(project: Project) -> None:
    project.setup(SCRIPT)
    linked = project.place.root / "linked"
    project.git("worktree", "add", "-q", str(linked))
    for directory in (project.place.repo, linked):
        for command in (("run", "--temp", "-S", "x=1", "-n"), ("apply",)):
            (directory / "params.yaml").write_text(f"x: 0  # {directory.name}\n")
            done = project.run("--cd", str(directory), *command, f"of-{directory.name}")
            assert done.code == 0, done.stderr
    for directory in (project.place.repo, linked):
        assert project.run("--cd", str(directory), "apply", "--undo").code == 0
        assert (directory / "params.yaml").read_text() == f"x: 0  # {directory.name}\n"
