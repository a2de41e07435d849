"""Every snippet means to exprun what it means to DVC: the same stages, or the same refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exprun.pipeline.unpacking import ParsingOptions
from tests.pipeline import snippets
from tests.pipeline.oracle import load

if TYPE_CHECKING:
    from tests.pipeline.oracle import Oracle, Sources


@pytest.mark.parametrize("sources", snippets.collect())
def test_same_as_dvc(sources: Sources, oracle: Oracle) -> None:
    assert load(sources, oracle.root) == oracle.load(sources)


@pytest.mark.parametrize("sources", snippets.SUBDIRECTORY)
def test_same_as_dvc_in_a_subdirectory(sources: Sources, oracle: Oracle) -> None:
    assert load(sources, oracle.root, "sub/dvc.yaml") == oracle.load(sources, "sub/dvc.yaml")


@pytest.mark.parametrize("lists", ["nargs", "append"])
@pytest.mark.parametrize("bools", ["store_true", "boolean_optional"])
def test_unpacking_follows_the_configuration(bools: str, lists: str, oracle: Oracle) -> None:
    sources = snippets.templated("x ${m} y", snippets.MAP)
    ours = ParsingOptions(bools=bools, lists=lists)  # type: ignore[arg-type]
    theirs = {"bool": bools, "list": lists}
    assert load(sources, oracle.root, parsing=ours) == oracle.load(sources, parsing=theirs)


def test_absolute_paths_inside_the_project(oracle: Oracle) -> None:
    root = oracle.root
    sources = {
        "dvc.yaml": f"""
stages:
  s:
    cmd: x
    wdir: w
    deps: [{root}/data/a.txt, {root}/w/b, {root}, /elsewhere/c]
    params: [{{"{root}/p.yaml": [k]}}]
    outs: [{root}/w/o, {root}/../outside: {{cache: false}}]
  abs:
    cmd: x
    wdir: {root}/v
    outs: [o]
"""
    }
    ours, theirs = load(sources, root), oracle.load(sources)
    assert ours == theirs
