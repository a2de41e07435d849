"""Targets, default targets and recursive targets select what DVC selects in a real project."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from exprun.errors import ExprunError
from exprun.model.paths import Location, join, parent
from exprun.model.stage import Dependency, Output, Stage
from exprun.pipeline.graph import build_graph
from exprun.pipeline.targets import Catalogue, Selector, address
from exprun.project.files import DiskFiles

from .tree import plant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIPELINE = """
stages:
  prepare:
    cmd: x
    deps: [raw]
    outs: [clean]
  train:
    foreach: [cnn, xgb]
    do:
      cmd: x
      deps: [clean]
      outs: ["${item}"]
  evaluate:
    matrix:
      model: [cnn, xgb]
    cmd: x
    deps: ["${item.model}"]
  none:
    foreach: []
    do:
      cmd: x
  trainer:
    cmd: x
"""
OTHER = "stages:\n  report:\n    cmd: x\n    deps: [../cnn, ../sub/extra]\n  prepare:\n    cmd: x\n"
GROUPS = {
    Location("dvc.yaml"): {
        "train": ("train@cnn", "train@xgb"),
        "evaluate": ("evaluate@cnn", "evaluate@xgb"),
        "none": (),
    }
}


@pytest.fixture
def repo(project: Path) -> Iterator[Any]:
    from dvc.repo import Repo

    plant(project, {"dvc.yaml": PIPELINE, "sub/dvc.yaml": OTHER, "sub/empty/": ""})
    plant(project, {"sub/extra.dvc": "outs:\n- path: extra\n", "raw.dvc": "outs:\n- path: raw\n"})
    with closing(Repo(str(project))) as repo:
        yield repo


def translate(stage: Any, root: str) -> Stage:
    """DVC's stage as a value of ours, as far as targets and graph ask."""
    file = Location(os.path.relpath(stage.path, root))
    wdir = parent(file)
    return Stage(
        name=getattr(stage, "name", None),
        file=file,
        wdir=wdir,
        cmd=stage.cmd,
        deps=tuple(
            Dependency(path=dep.def_path, location=join(wdir, dep.def_path)) for dep in stage.deps
        ),
        outs=tuple(Output(path=o.def_path, location=join(wdir, o.def_path)) for o in stage.outs),
    )


def selector(repo: Any, cwd: str) -> Selector:
    stages = [translate(stage, repo.root_dir) for stage in repo.index.stages]
    files: dict[Location, list[Stage]] = {}
    for stage in stages:
        files.setdefault(stage.file, []).append(stage)
    return Selector(
        catalogue=Catalogue(stages=files, groups=GROUPS),
        files=DiskFiles(repo.root_dir),
        root=repo.root_dir,
        graph=lambda: build_graph(stages, root=repo.root_dir),
        cwd=Location(cwd),
    )


CASES = [
    (".", "train", {}),
    (".", "train@cnn", {}),
    (".", "train@no", {}),
    (".", "none", {}),
    (".", "evaluate", {}),
    (".", "evaluate@xgb", {}),
    (".", "dvc.yaml", {}),
    (".", "./dvc.yaml", {}),
    (".", "dvc.yaml:train", {}),
    (".", ":trainer", {}),
    (".", "sub/dvc.yaml", {}),
    (".", "sub/dvc.yaml:report", {}),
    (".", "sub/dvc.yaml:nothing", {}),
    (".", "sub", {}),
    (".", "clean", {}),
    (".", "raw.dvc", {}),
    (".", "no.dvc", {}),
    (".", "dvc.lock", {}),
    (".", "sub", {"recursive": True}),
    (".", ".", {"recursive": True}),
    (".", "sub/empty", {"recursive": True}),
    (".", "train", {"recursive": True}),
    (".", "train*", {"glob": True}),
    (".", "*@cnn", {"glob": True}),
    (".", "nothing*", {"glob": True}),
    (".", "sub/dvc.yaml:re*", {"glob": True}),
    (".", "sub/dvc.yaml", {"glob": True}),
    ("sub", "report", {}),
    ("sub", "prepare", {}),
    ("sub", "extra.dvc", {}),
    ("sub", "../dvc.yaml:train@xgb", {}),
    ("sub", "../raw.dvc", {}),
    ("sub", "..", {"recursive": True}),
    ("sub/empty", "prepare", {}),
    ("sub/empty", "dvc.yaml", {}),
]


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")
def test_every_form_selects_what_dvc_selects(repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.exceptions import DvcException

    for cwd, target, options in CASES:
        monkeypatch.chdir(os.path.join(repo.root_dir, cwd))
        try:
            found: object = [
                translate(stage, repo.root_dir).id
                for stage in repo.stage.collect(target, **options)
            ]
        except DvcException:
            found = "refused"
        try:
            selected = selector(repo, cwd).select([target], **options)
            ours: object = [stage.id for stage in selected]
        except ExprunError:
            ours = "refused"
        assert ours == found, (cwd, target, options)


def test_addresses_are_those_of_dvc(repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for cwd in (".", "sub", "sub/empty"):
        monkeypatch.chdir(os.path.join(repo.root_dir, cwd))
        repo._reset()
        for stage in repo.index.stages:
            ours = translate(stage, repo.root_dir)
            assert address(ours, Location(cwd)) == stage.addressing
