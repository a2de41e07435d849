"""``exprun stages`` against DVC's resolver, and its plain text."""

from __future__ import annotations

import json
import os
import warnings
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.project import Delete, Write, perform

if TYPE_CHECKING:
    from tests.support.environment import Place
    from tests.support.project import Action
    from tests.support.tools import Tool


def dvc_says(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    """By address: the definition of each stage, and the facts DVC makes of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dvc.parsing import DataResolver
        from dvc.repo import Repo
        from dvc.utils.serialize import load_yaml

        with Repo(str(place.repo)) as repo:
            definitions: dict[str, Any] = {}
            for directory in (".", "sub"):
                wdir = os.path.join(repo.root_dir, directory)
                resolver = DataResolver(repo, wdir, load_yaml(os.path.join(wdir, "dvc.yaml")))
                prefix = "" if directory == "." else f"{directory}/dvc.yaml:"
                resolved = resolver.resolve()["stages"]
                definitions |= {prefix + name: stage for name, stage in resolved.items()}
            facts = {
                stage.addressing: facts_of(stage, repo.root_dir)
                for stage in repo.index.stages
                if stage.addressing in definitions
            }
    return definitions, facts


def facts_of(stage: Any, root: str) -> dict[str, Any]:
    from dvc.dependency.param import ParamsDependency

    def relative(path: str) -> str:
        return os.path.relpath(path, root)

    params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    return {
        "cmd": stage.cmd,
        "wdir": relative(stage.wdir),
        "deps": [relative(dep.fs_path) for dep in stage.deps if dep not in params],
        "params": {relative(dep.fs_path): dep.read_params() for dep in params},
        "paths": sorted((relative(o.fs_path), o.use_cache, o.persist) for o in stage.outs),
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
    }


def ours_of(stage: dict[str, Any]) -> dict[str, Any]:
    outs = [*stage["outs"], *stage["metrics"], *stage["plots"]]
    return {
        **{key: stage[key] for key in ("cmd", "wdir", "deps", "params")},
        "paths": sorted((out["path"], out["cache"], out["persist"]) for out in outs),
        **{key: stage[key] for key in ("frozen", "always_changed")},
    }


def test_json_is_what_dvc_resolves(
    place: Place, exprun: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.repo)
    finished = exprun.run(["stages", "--json"], place=place)
    assert (finished.code, finished.stderr) == (0, "")
    told = json.loads(finished.stdout)
    assert (told["version"], told["errors"]) == (1, [])
    stages = {stage["address"]: stage for stage in told["stages"]}
    definitions, facts = dvc_says(place)
    assert {address: stage["definition"] for address, stage in stages.items()} == definitions
    assert {address: ours_of(stage) for address, stage in stages.items()} == facts


def test_plain_text(place: Place, exprun: Tool) -> None:
    finished = exprun.run(["stages", "../dvc.yaml:train@cnn", "report"], place=place, cwd="sub")
    assert finished.stdout == dedent(
        """\
        ../dvc.yaml:train@cnn
          cmd:    cp clean.txt cnn.bin
                  echo 0.1 > cnn.json
          deps:   ../clean.txt
          params: lr, model.depth (../params.yaml)
                  all of ../whole.json
          outs:   ../cnn.bin, ../cnn.json

        report
          cmd:    cp ../cnn.bin report.txt
          deps:   ../cnn.bin
          outs:   report.txt
        """
    )
    finished = exprun.run(["stages", "cold", "clock"], place=place)
    assert [line for line in finished.stdout.splitlines() if line[:1].strip()] == [
        "cold (frozen)",
        "clock (always changed)",
    ]


def test_a_file_that_cannot_be_loaded_is_one_error(place: Place, exprun: Tool) -> None:
    perform(Write("sub/dvc.yaml", "stages: {a: 1}\n"), place, tool=exprun, dvc_tool=exprun, at=0)
    finished = exprun.run(["stages", "--json"], place=place)
    told = json.loads(finished.stdout)
    assert finished.code == 2
    assert [error["file"] for error in told["errors"]] == ["sub/dvc.yaml"]
    assert told["errors"][0]["error"].startswith("sub/dvc.yaml:1: ")
    assert {stage["file"] for stage in told["stages"]} == {"dvc.yaml"}
    finished = exprun.run(["stages"], place=place)
    assert finished.code == 2
    assert finished.stderr.startswith("ERROR: sub/dvc.yaml:1: ")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("p.yaml", "d: 2020-01-01\n1: {2: [3]}\n", {"d": "2020-01-01", "1": {"2": [3]}}),
        ("p.py", "s = {2, 1}\nt = (1, 'a')\n", {"s": ["1", "2"], "t": [1, "a"]}),
        ("p.toml", "t = 12:30:00\n", {"t": "12:30:00"}),
        ("p.json", "[1", {}),
        ("p.json", None, {}),
    ],
)
def test_every_parameter_file_can_be_told_as_json(
    place: Place, exprun: Tool, name: str, text: str | None, value: object
) -> None:
    pipeline = f"stages:\n  s: {{cmd: x, params: [{{{name}: }}]}}\n"
    actions: list[Action] = [Delete("sub/dvc.yaml"), Write("dvc.yaml", pipeline)]
    actions += [Write(name, text)] if text is not None else []
    for action in actions:
        perform(action, place, tool=exprun, dvc_tool=exprun, at=0)
    finished = exprun.run(["stages", "--json"], place=place)
    assert json.loads(finished.stdout)["stages"][0]["params"] == {name: value}
