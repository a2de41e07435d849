"""The object of ``exprun stages --json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exprun.errors import PipelineError
from exprun.model.paths import Location
from exprun.pipeline.describe import describe
from exprun.pipeline.load import load_pipeline
from tests.pipeline.oracle import DictFiles

if TYPE_CHECKING:
    from exprun.model.stage import Stage

TEXT = """
stages:
  train:
    foreach: [cnn]
    do:
      cmd: python train.py ${train.lr}
      deps: [data/x.csv, ../lib]
      params: [train.lr, {q.yaml: }]
      outs:
      - model.pkl
      - big: {remote: r, push: false}
      metrics: [{m.json: {cache: false}}]
      plots: [{p.csv: {x: step, persist: true}}, q.csv]
"""


def test_a_stage_is_described_as_promised() -> None:
    files = DictFiles({"sub/dvc.yaml": TEXT, "sub/params.yaml": "train: {lr: 0.1, n: 3}"})
    pipeline = load_pipeline(Location("sub/dvc.yaml"), files, root="/project")

    def values(stage: Stage) -> dict[str, dict[str, object]]:
        return {file.location: {"k": 1} for file in stage.params if file.path == "q.yaml"}

    failure = PipelineError("bad", where="other/dvc.yaml:3")
    described = describe(
        [pipeline],
        {Location("other/dvc.yaml"): failure},
        address=lambda stage: f"{stage.file}:{stage.name}",
        tracked=values,
    )
    flags = {"cache": True, "persist": False, "push": True}
    assert json.loads(json.dumps(described)) == {
        "version": 1,
        "stages": [
            {
                "address": "sub/dvc.yaml:train@cnn",
                "name": "train@cnn",
                "file": "sub/dvc.yaml",
                "cmd": "python train.py 0.1",
                "wdir": "sub",
                "deps": ["sub/data/x.csv", "lib"],
                "params": {"sub/params.yaml": {"train.lr": 0.1}, "sub/q.yaml": {"k": 1}},
                "outs": [
                    {"path": "sub/model.pkl", **flags},
                    {"path": "sub/big", **flags, "push": False, "remote": "r"},
                ],
                "metrics": [{"path": "sub/m.json", **flags, "cache": False}],
                "plots": [
                    {"path": "sub/p.csv", **flags, "persist": True, "props": {"x": "step"}},
                    {"path": "sub/q.csv", **flags, "props": {}},
                ],
                "frozen": False,
                "always_changed": False,
                "desc": None,
                "meta": None,
                "definition": {
                    "cmd": "python train.py 0.1",
                    "deps": ["data/x.csv", "../lib"],
                    "params": ["train.lr", {"q.yaml": None}],
                    "outs": ["model.pkl", {"big": {"remote": "r", "push": False}}],
                    "metrics": [{"m.json": {"cache": False}}],
                    "plots": [{"p.csv": {"x": "step", "persist": True}}, "q.csv"],
                },
            }
        ],
        "errors": [{"file": "other/dvc.yaml", "error": "other/dvc.yaml:3: bad"}],
    }
