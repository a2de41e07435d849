"""DVC and exprun take turns on one project."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exprun.model.lock import Content, Oid
from exprun.store import Store, StoreConfig

from .oracle import picture

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    dvc(project, "init", "--no-scm", "-q")
    return project


def dvc(project: Path, *argv: str) -> str:
    env = {
        "HOME": str(project.parent),
        "PATH": os.defpath,
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(project.parent / "site"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *argv],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_project_of_both(project: Path) -> None:
    (project / "data" / "sub").mkdir(parents=True)
    (project / "data" / "a").write_text("1")
    (project / "data" / "sub" / "b").write_text("2")
    dvc(project, "add", "-q", "data")
    root = str(project)
    data = str(project / "data")
    with Store(StoreConfig(cache_dir=f"{root}/.dvc/cache", records=f"{root}/.dvc/tmp/x")) as store:
        content = store.content(data)
        assert content is not None
        assert content.oid in (project / "data.dvc").read_text()
        assert store.has(content, verify=True)
        before = picture(data)

        # What exprun checks out is unchanged to DVC, and the other way round.
        store.remove_output(data, root=root)
        assert store.checkout(content, data, root=root)
        assert picture(data) == before
        assert "up to date" in dvc(project, "status")

        # What exprun collects DVC can check out.
        (project / "data" / "c").write_text("3")
        changed = store.collect(data, root=root)
        text = (project / "data.dvc").read_text().replace(content.oid, changed.oid)
        (project / "data.dvc").write_text(text)
        after = picture(data)
        store.remove_output(data, root=root)
        dvc(project, "checkout", "-q")
        assert picture(data) == after
        assert store.content(data) == changed
        assert store.missing(Content(oid=Oid("0" * 32))) == ("0" * 32,)
