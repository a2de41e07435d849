"""The project of these tests: its files, its stages as values, and DVC's view of both."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from dvc.repo import Repo

from exprun.lockfile.codec import Lockfile, absent_lock, parse_lock
from exprun.model.paths import Location
from exprun.model.stage import Dependency, Output, OutputKind, ParamsFile, Stage
from tests.lockfile.project import DiskProbe

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """\
stages:
  train:
    cmd: cp in.txt out.txt && cp -r data d && echo 1 > m.json && printf 'a\\r\\nb\\r\\n' > text
    deps:
    - in.txt
    - data
    params:
    - lr
    - model.layers.0
    - other.json:
      - x
    - whole.toml:
    outs:
    - out.txt
    - d
    - text
    metrics:
    - m.json:
        cache: false
  cold:
    cmd: echo cold > cold.txt
    frozen: true
    deps:
    - in.txt
    outs:
    - cold.txt
  always:
    cmd: echo always
    always_changed: true
    deps:
    - in.txt
  call:
    cmd: echo call
"""

FILES = {
    "dvc.yaml": PIPELINE,
    "in.txt": "in\n",
    "data/b": "b\r\n",
    "data/a/x": "x\n",
    "params.yaml": "lr: 0.1\nmodel:\n  layers: [3, {b: 1, a: 2}]\nunused: 1\n",
    "other.json": '{"x": [1, 2.0, null, "1"]}',
    "whole.toml": 'z = 1\na = "t"\n[t]\nn = [1]\n',
}


def _dep(path: str) -> Dependency:
    return Dependency(path=path, location=Location(path))


def _out(path: str, **options: Any) -> Output:
    return Output(path=path, location=Location(path), **options)


def _params(path: str, *keys: str) -> ParamsFile:
    return ParamsFile(path=path, location=Location(path), keys=keys)


def _stage(name: str, cmd: str, **parts: Any) -> Stage:
    return Stage(name=name, file=Location("dvc.yaml"), wdir=Location("."), cmd=cmd, **parts)


STAGES = {
    "train": _stage(
        "train",
        "cp in.txt out.txt && cp -r data d && echo 1 > m.json && printf 'a\\r\\nb\\r\\n' > text",
        deps=(_dep("in.txt"), _dep("data")),
        params=(
            _params("params.yaml", "lr", "model.layers.0"),
            _params("other.json", "x"),
            _params("whole.toml"),
        ),
        outs=(
            _out("out.txt"),
            _out("d"),
            _out("text"),
            _out("m.json", kind=OutputKind.METRIC, cache=False),
        ),
    ),
    "cold": _stage(
        "cold",
        "echo cold > cold.txt",
        frozen=True,
        deps=(_dep("in.txt"),),
        outs=(_out("cold.txt"),),
    ),
    "always": _stage("always", "echo always", always_changed=True, deps=(_dep("in.txt"),)),
    "call": _stage("call", "echo call"),
}


class Scenario:
    """A project that was reproduced once; `reset` takes it back to that."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.probe = DiskProbe(root)
        self._saved = root.with_name(root.name + "-saved")
        Repo.init(str(root), no_scm=True).close()
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        (root / "cold.txt").write_text("cold\n")
        self.repo = Repo(str(root))
        self.repo.reproduce()
        shutil.copytree(root, self._saved)

    def reset(self) -> None:
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self._saved, self.root, dirs_exist_ok=True)
        self.repo._reset()

    def lock(self) -> Lockfile:
        path = self.root / "dvc.lock"
        if not path.exists():
            return absent_lock(name="dvc.lock")
        return parse_lock(path.read_bytes(), name="dvc.lock")
