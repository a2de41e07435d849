"""Whole requests, several files at a time, against what DVC does with its ``-S`` options."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from dvc.repo.experiments.queue.base import BaseStashQueue
from dvc.utils.cli_parse import to_path_overrides

from exprun.params import edits, hydra, sweeps
from exprun.params.overrides import DEFAULT_FILE, Override
from exprun.params.parsing import parse_overrides
from tests.params.oracle import sweeps_by_dvc

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "params.yaml": "lr: 0.1  # rate\nmodel:\n  depth: 3\n",
    "other.yaml": "a: [1, 2]\nb: x\n",
    "conf.json": '{"a": 1}',
    "sub/p.toml": "[t]\nv = 1\n",
    "conf/config.yaml": "defaults:\n- db: one\nlr: 1\n",
    "conf/db/one.yaml": "n: 1\n",
    "conf/db/two.yaml": "n: 2\n",
}

REQUESTS = [
    ["lr=0.2"],
    ["lr=0.2", "conf.json:a=2", "sub/p.toml:t.v=3", "model.depth=4"],
    ["other.yaml:a.0=7", "lr=5", "other.yaml:+c={d: 1}"],
    ["new.yaml:+a=1", "+b=2"],
    ["lr=1,2", "conf.json:a=x,y"],
    ["other.yaml:b=range(3)", "other.yaml:a=[],[0]", "lr=1e-4"],
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def update_with_dvc(root: Path, config: dict[str, Any], overrides: dict[str, list[str]]) -> None:
    queue: Any = SimpleNamespace(
        repo=SimpleNamespace(config={"hydra": config}, root_dir=str(root)),
        scm=SimpleNamespace(add=lambda paths: None),
    )
    BaseStashQueue._update_params(queue, overrides)


def update(
    files: dict[str, bytes],
    composition: hydra.Composition | None,
    overrides: dict[str, tuple[Override, ...]],
) -> dict[str, bytes]:
    updated = dict(files)
    for file, each in overrides.items():
        if composition is not None and file == DEFAULT_FILE:
            updated[file] = hydra.compose(composition, each)
        else:
            updated[file] = edits.apply_overrides(updated.get(file), file, each)
    return updated


@pytest.mark.parametrize("texts", REQUESTS)
def test_every_file_of_every_experiment_is_dvcs(texts: list[str], project: Path) -> None:
    before = files_of(project)
    parsed = parse_overrides(texts)
    if sweeps.is_sweep(parsed):
        expanded, expected = list(sweeps.expand(parsed)), sweeps_by_dvc(texts)
    else:
        expanded, expected = [parsed], [to_path_overrides(texts)]
    assert isinstance(expected, list)
    for mine, theirs in zip(expanded, expected, strict=True):
        update_with_dvc(project, {}, theirs)
        assert update(before, None, mine) == files_of(project)
        for name in files_of(project):
            (project / name).unlink()
        for name, data in before.items():
            (project / name).write_bytes(data)


@pytest.mark.filterwarnings("ignore:.*Defaults list is missing")
@pytest.mark.parametrize(
    "texts", [[], ["lr=7"], ["db=two", "conf.json:a=2"], ["conf.json:a=2"], ["+db2@x=null"]]
)
def test_a_composed_project_is_dvcs(texts: list[str], project: Path) -> None:
    settings = {"enabled": True}
    before = files_of(project)
    overrides = {**to_path_overrides(texts)}
    overrides.setdefault("params.yaml", [])
    mine = parse_overrides(texts)
    mine.setdefault("params.yaml", ())
    composition = hydra.composition(settings, root=str(project))
    try:
        update_with_dvc(project, settings, overrides)
    except Exception:
        with pytest.raises(Exception, match="Invalid `--set-param` value"):
            update(before, composition, mine)
    else:
        assert update(before, composition, mine) == files_of(project)
