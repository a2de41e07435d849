"""Which outputs a stage may not have, wherever links lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exprun.errors import PipelineError
from exprun.runner.boundaries import Boundaries
from exprun.runner.opening import open_project

if TYPE_CHECKING:
    from pathlib import Path


def _refusal(root: Path, out: str, options: str = "{}") -> str | None:
    (root / "dvc.yaml").write_text(f"stages: {{s: {{cmd: x, outs: [{{'{out}': {options}}}]}}}}\n")
    project = open_project(str(root), env={}, warn=print).load()
    project.require_sound()
    refusal = Boundaries(project).refusal(project.stages[0])
    if refusal is None:
        Boundaries(project).check(project.stages)
        return None
    with pytest.raises(PipelineError, match=refusal.message[-20:]):
        Boundaries(project).check(project.stages)
    return refusal.message.partition("(dvc.yaml) ")[2]


@pytest.fixture(params=["plain", "linked"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    real = tmp_path / "real"
    for directory in (".dvc", "data/deep", "nested/.dvc"):
        (real / directory).mkdir(parents=True)
    (real / ".dvc" / "config").write_text("[core]\nno_scm = true\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "beside-real").mkdir()
    for name, target in {
        "out": "../outside",
        "self": ".",
        "dot": ".dvc",
        "in": "data",
        "data/up": "..",
        "near": "../beside-real",
    }.items():
        (real / name).symlink_to(target)
    if request.param == "plain":
        return real
    (tmp_path / "project").symlink_to("real")
    return tmp_path / "project"


@pytest.mark.parametrize(
    "out",
    [
        "o",
        "data",
        "data/o",
        "data/deep/er/o",
        "absent/o",
        "in",
        "in/o",
        "out",
    ],
)
def test_inside(out: str, root: Path) -> None:
    assert _refusal(root, out) is None


@pytest.mark.parametrize(
    "out", ["../o", "..", "../../o", "out/o", "near/o", "/o", "/", "in/up/out/o"]
)
def test_outside(out: str, root: Path) -> None:
    assert _refusal(root, out) == "lies outside of the project"


@pytest.mark.parametrize("out", [".", "../real", "self/../."])
def test_the_project_itself(out: str, root: Path) -> None:
    assert _refusal(root, out) == "is the project itself"


@pytest.mark.parametrize("out", ["data/.GIT/o", "data/.Dvc", "dot/o", "in/.GIT/o"])
def test_the_directories_of_git_and_dvc(out: str, root: Path) -> None:
    assert _refusal(root, out) == "lies inside .git or .dvc"


@pytest.mark.parametrize("out", ["nested", "nested/o", "self/o", "data/up/o"])
def test_projects_within(out: str, root: Path) -> None:
    assert _refusal(root, out) is None


@pytest.mark.parametrize("out", ["s3://bucket/o", "/o"])
def test_what_is_left_alone(out: str, root: Path) -> None:
    assert _refusal(root, out, "{persist: true, cache: false}") is None
