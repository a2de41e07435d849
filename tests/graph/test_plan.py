from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from exprun.pipeline.graph import Graph, build_graph
from exprun.pipeline.plan import Reach, plan

from .build import stage
from .oracle import DVC_WARNS, dvc_graph, random_stages

if TYPE_CHECKING:
    from exprun.model.stage import Stage


def names(stages: list[Stage]) -> list[str | None]:
    return [value.name for value in stages]


def diamond() -> tuple[Graph, dict[str | None, Stage]]:
    stages = [
        stage("join", ["left", "right"], ["all"]),
        stage("left", ["raw"], ["left"]),
        stage("right", ["raw"], ["right"]),
        stage("raw", outs=["raw"]),
        stage("alone", outs=["alone"]),
    ]
    return build_graph(stages, root="/p").active(), {value.name: value for value in stages}


@pytest.mark.parametrize(
    ("selected", "reach", "expected"),
    [
        ([], Reach(), ["raw", "left", "right", "join", "alone"]),
        (["left"], Reach(), ["raw", "left"]),
        (["alone", "left"], Reach(), ["raw", "left", "alone"]),
        (["left"], Reach(downstream=True), ["left", "join"]),
        (["left"], Reach(pipeline=True), ["raw", "left", "right", "join"]),
        (["alone", "left"], Reach(pipeline=True), ["alone", "raw", "left", "right", "join"]),
        (["left"], Reach(all_pipelines=True), ["raw", "left", "right", "join", "alone"]),
        (["right", "left"], Reach(single_item=True), ["right", "left"]),
        (["right", "right"], Reach(single_item=True), ["right"]),
        (["left"], Reach(single_item=True, pipeline=True), ["raw", "left", "right", "join"]),
        (["left"], Reach(downstream=True, pipeline=True), ["raw", "left", "right", "join"]),
    ],
)
def test_what_a_request_reaches(selected: list[str], reach: Reach, expected: list[str]) -> None:
    graph, stages = diamond()
    assert names(plan(graph, [stages[name] for name in selected], reach)) == expected


def dvc_plan(theirs: Any, nodes: list[Any], reach: Reach) -> list[Stage]:
    from dvc.repo.reproduce import get_active_graph, plan_repro

    steps = plan_repro(
        get_active_graph(theirs), nodes, pipeline=reach.pipeline, downstream=reach.downstream
    )
    return [step.value for step in steps]


@pytest.mark.filterwarnings(DVC_WARNS)
@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(
    "reach", [Reach(), Reach(downstream=True), Reach(pipeline=True)], ids=["up", "down", "whole"]
)
def test_plans_are_those_of_dvc_where_dvc_is_determined(seed: int, reach: Reach) -> None:
    rng = Random(seed)
    stages = random_stages(rng, size=rng.randint(1, 20))
    selected = rng.sample(stages, rng.randint(0, len(stages)))
    theirs, nodes = dvc_graph(stages)
    expected = dvc_plan(theirs, [nodes[value.id] for value in selected], reach)

    graph = build_graph(stages, root="/p").active()
    ours = plan(graph, selected, reach)
    assert {value.id for value in ours} == {value.id for value in expected}
    done: set[object] = set()
    for value in ours:
        done.add(value.id)
        planned = {value.id for value in expected}
        assert planned.intersection(graph.upstream(value.id)) <= done
    if len({frozenset(graph.connected(v.id)) for v in selected}) == 1 or not reach.pipeline:
        # DVC iterates over a hash set when fewer than half of all stages take part.
        if 2 * len(expected) >= len(stages):
            assert ours == expected
