from __future__ import annotations

import time
from random import Random

import pytest

from exprun.errors import PipelineError
from exprun.model.paths import Location
from exprun.model.stage import Dependency, Stage, StageId
from exprun.pipeline.graph import Graph, build_graph

from .build import stage
from .oracle import DVC_WARNS, dvc_graph, random_stages


def build(*stages: Stage) -> Graph:
    return build_graph(stages, root="/project")


def ups(graph: Graph, name: str, file: str = "dvc.yaml") -> list[str | None]:
    return [up.name for up in graph.upstream(StageId(Location(file), name))]


def test_a_dependency_that_equals_lies_inside_or_contains_an_output_makes_an_edge() -> None:
    graph = build(
        stage("file", outs=["out"]),
        stage("directory", outs=["data"]),
        stage("deep", outs=["models/a", "models/b/c"]),
        stage("other", outs=["models2"]),
        stage("all", ["out", "data/x/y", "models"], params=["data/params.yaml"]),
    )
    assert ups(graph, "all") == ["file", "directory", "deep"]
    assert [down.name for down in graph.downstream(StageId(Location("dvc.yaml"), "deep"))] == [
        "all"
    ]


def test_params_files_count_as_dependencies_and_come_after_them() -> None:
    graph = build(
        stage("makes_params", outs=["p.yaml"]),
        stage("makes_data", outs=["data"]),
        stage("train", ["data"], params=["p.yaml"]),
    )
    assert ups(graph, "train") == ["makes_data", "makes_params"]


def test_outputs_beneath_a_dependency_come_in_order_of_definition() -> None:
    graph = build(
        stage("z", outs=["d/z", "d/sub/2"]),
        stage("a", outs=["d/a"]),
        stage("m", outs=["d/sub/1"]),
        stage("all", ["d"]),
    )
    assert ups(graph, "all") == ["z", "m", "a"]


def test_the_directory_above_the_project_contains_every_output() -> None:
    graph = build(stage("a", outs=["x"]), stage("b", [".."], []), stage("c", ["../project/x"]))
    assert ups(graph, "b") == ["a"]
    assert ups(graph, "c") == ["a"]


def test_urls_meet_only_themselves() -> None:
    graph = build(
        stage("a", outs=["s3://bucket/x"]), stage("b", ["s3://bucket/x/y"]), stage("c", ["bucket"])
    )
    assert ups(graph, "b") == ["a"]
    assert ups(graph, "c") == []


def test_imports_from_repositories_and_databases_make_no_edges() -> None:
    source = Dependency(path="x", location=Location("x"), source={"repo": {"url": "u"}})
    imported = Stage(
        name=None,
        file=Location("y.dvc"),
        wdir=Location("."),
        deps=(source,),
        outs=stage("_", outs=["y"]).outs,
    )
    graph = build(stage("a", outs=["x"]), imported)
    assert graph.upstream(imported.id) == ()


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([stage("a", outs=["x"]), stage("b", outs=["./x"])], "'x' is made by both 'a'"),
        ([stage("a", outs=["x", "y/../x"])], "names the output 'x' twice"),
        ([stage("a", outs=["x"]), stage("b", outs=["x/y"])], "'x/y' of 'b'"),
        ([stage("a", outs=["x/y"]), stage("b", outs=["x"])], "'x/y' of 'a'"),
        ([stage("a", outs=["x"]), stage("b", file="x/dvc.yaml")], "lies inside 'x'"),
        ([stage("a", outs=["x.dvc"])], "names the DVC file 'x.dvc'"),
        ([stage("a", outs=["x/dvc.yaml"])], "names the DVC file"),
        ([stage("a", outs=["dvc.lock"])], "names the DVC file 'dvc.lock'"),
        ([stage("a", ["x"], ["x"])], "its own output: 'a' (dvc.yaml) -> 'a' (dvc.yaml)"),
        (
            [
                stage("tail", ["2"], ["3"]),
                stage("a", ["2"], ["1"]),
                stage("b", ["1"], ["2"], frozen=True),
            ],
            "each other: 'b' (dvc.yaml) -> 'a' (dvc.yaml) -> 'b' (dvc.yaml)",
        ),
    ],
)
def test_contradictions_are_refused(stages: list[Stage], words: str) -> None:
    with pytest.raises(PipelineError) as caught:
        build(*stages)
    assert words in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.hint is not None


def test_a_frozen_stage_waits_for_nobody_in_the_active_graph() -> None:
    graph = build(stage("a", outs=["x"]), stage("b", ["x"], ["y"], frozen=True), stage("c", ["y"]))
    active = graph.active()
    assert ups(graph, "b") == ["a"]
    assert ups(active, "b") == []
    assert ups(active, "c") == ["b"]
    assert active.downstream(StageId(Location("dvc.yaml"), "a")) == ()


@pytest.mark.filterwarnings(DVC_WARNS)
@pytest.mark.parametrize("seed", range(40))
def test_edges_and_their_order_are_those_of_dvc(seed: int) -> None:
    stages = random_stages(Random(seed), size=Random(seed).randint(1, 25))
    theirs, nodes = dvc_graph(stages)
    ours = build_graph(stages, root="/project")
    assert list(ours.stages) == [node.value.id for node in theirs]
    for value in stages:
        node = nodes[value.id]
        assert list(ours.upstream(value.id)) == [n.value.id for n in theirs.successors(node)]
        assert list(ours.downstream(value.id)) == [n.value.id for n in theirs.predecessors(node)]


def test_a_chain_of_thousands_neither_recurses_nor_takes_long() -> None:
    chain = [stage(f"s{i}", [f"d/{i - 1}"], [f"d/{i}"]) for i in range(1, 5001)]
    start = time.process_time()
    graph = build(*reversed(chain))
    assert graph.postorder() == [value.id for value in chain]
    assert time.process_time() - start < 1.0
