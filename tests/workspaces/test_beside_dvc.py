"""The tree of a real experiment, and real DVC beside our slots and refs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from exprun.git.experiment_refs import ExperimentRef
from exprun.git.experiments import default_message, publish, write_commit
from exprun.git.identity import Signature
from exprun.git.snapshot import take_snapshot
from exprun.workspaces.isolated import LOCATION, open_slot, workspace_source
from tests.git.project import GitProject

PIPELINE = """\
stages:
  train:
    cmd: >-
      cat unt_dep.txt > out; mkdir -p od plotdir; echo 1 > od/f; echo 2 > outd.txt;
      echo '{"m": 1}' > nc.json; echo '{"t": 1}' > top.json; echo x,y > plotdir/p.csv;
      echo x > loss.csv; echo made > unt_made.txt; echo by-stage > added.txt; git add added.txt
    deps: [unt_dep.txt, code.py]
    outs: [out, od, {outd.txt: {cache: false}}]
    metrics: [{nc.json: {cache: false}}]
metrics: [top.json]
plots: [plotdir, {loss.csv: {}}]
"""
INCLUDED = [
    "dvc.yaml", "dvc.lock", "unt_dep.txt", "outd.txt", "nc.json", "top.json", "plotdir", "loss.csv",
]  # fmt: skip


def dvc(project: GitProject, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args], cwd=project.root, env=project.env, text=True,
        capture_output=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def prepare(project: GitProject) -> None:
    project.env.update(DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=f"{project.root}-site")
    project.write(".dvc/config")
    project.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    project.write(".gitignore", "/kept\n")
    for path in ("code.py", "del.txt", "keep.txt", "params.yaml"):
        project.write(path, f"{path}: 1\n")
    project.write("dvc.yaml", PIPELINE)
    project.commit_all()
    project.write("code.py", "changed\n")
    (project.root / "del.txt").unlink()
    project.write("keep.txt", "staged\n")
    project.git("add", "keep.txt")
    project.write("keep.txt", "and changed\n")
    (project.root / "params.yaml").chmod(0o755)
    project.write("staged.txt", "s\n")
    project.git("add", "staged.txt")
    project.write("unt_dep.txt", "dep\n")
    project.write("untracked.txt", "u\n")


def test_our_tree_is_dvc_s(project: GitProject, tmp_path: Path) -> None:
    project = GitProject(project.root, dict(project.env))
    prepare(project)
    twin = GitProject(tmp_path / "twin", project.env)
    shutil.copytree(project.root, twin.root, symlinks=True)
    dvc(project, "exp", "run", "-n", "theirs")
    for path in project.root.iterdir():
        if path.is_file():
            shutil.copy2(path, twin.root)
        elif path.name in ("plotdir", "od"):
            shutil.copytree(path, twin.root / path.name)
    twin.git("add", "added.txt")
    ours = take_snapshot(twin.open(), include=INCLUDED, objects=project.open().objects)
    head = project.git("rev-parse", "HEAD")
    theirs = str(ExperimentRef(head, "theirs"))
    assert project.git("diff", "--name-status", theirs, ours) == ""
    assert ours == project.git("rev-parse", f"{theirs}^{{tree}}")

    me = Signature(name="A U Thor", email="author@example.com", time=1795448798, offset=0)
    repository = project.open()
    commit = write_commit(
        repository,
        tree=ours,
        parent=head,
        message=default_message("0" * 64),
        author=me,
        committer=me,
    )
    publish(repository, ExperimentRef(head, "ours"), commit)
    slot = open_slot(str(project.root / ".dvc/tmp/exps" / LOCATION / "1"))
    assert slot is not None
    slot.make(workspace_source(repository), baseline=head, tree=ours)
    shown = dvc(project, "exp", "show", "--csv", "--no-pager")
    assert "ours" in shown
    assert "theirs" in shown
    inside = GitProject(Path(slot.root), project.env)
    assert "theirs" not in dvc(inside, "exp", "list")
    slot.remove()
