"""The graph of a project's stages: who makes what a stage reads.

An edge goes from a stage to each stage whose output its dependency equals, lies inside, or
contains. Orders are DVC's (``dvc.repo.graph.build_graph``), because plans, and through them the
order of new dvc.lock entries, follow from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import PipelineError
from exprun.model.paths import DATASET
from exprun.model.values import dataclass
from exprun.pipeline.outputs import Made, OutputTree, describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exprun.model.paths import Location
    from exprun.model.stage import Stage, StageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The stages in collection order, and the edges between them. Acyclic."""

    stages: Mapping[StageId, Stage]
    _upstream: Mapping[StageId, tuple[StageId, ...]]
    _downstream: Mapping[StageId, tuple[StageId, ...]]

    def upstream(self, stage: StageId) -> tuple[StageId, ...]:
        """The stages that make what `stage` reads, in the order of its dependencies."""
        return self._upstream[stage]

    def downstream(self, stage: StageId) -> tuple[StageId, ...]:
        """The stages that read what `stage` makes, in collection order."""
        return self._downstream[stage]

    def all_upstream(self, stages: Iterable[StageId]) -> set[StageId]:
        """`stages` and everything they need, directly or not."""
        return _reachable(stages, self._upstream)

    def all_downstream(self, stages: Iterable[StageId]) -> set[StageId]:
        """`stages` and everything that needs them, directly or not."""
        return _reachable(stages, self._downstream)

    def connected(self, stage: StageId) -> set[StageId]:
        """The whole pipeline of `stage`: all that edges in either direction lead to."""
        seen = {stage}
        pending = [stage]
        while pending:
            at = pending.pop()
            for other in self._upstream[at] + self._downstream[at]:
                if other not in seen:
                    seen.add(other)
                    pending.append(other)
        return seen

    def active(self) -> Graph:
        """This graph as a run sees it: a frozen stage waits for nobody."""
        frozen = {id for id, stage in self.stages.items() if stage.frozen}
        if not frozen:
            return self
        upstream = {id: () if id in frozen else ups for id, ups in self._upstream.items()}
        return Graph(stages=self.stages, _upstream=upstream, _downstream=_reverse(upstream))

    def with_stages(self, stages: Iterable[Stage]) -> Graph:
        """The graph of other stages that have the same edges."""
        by_id = {stage.id: stage for stage in stages}
        return Graph(stages=by_id, _upstream=self._upstream, _downstream=self._downstream)

    def postorder(self, within: set[StageId] | None = None) -> list[StageId]:
        """All stages, or those of `within`, each after what it needs.

        Depth first from the stages in collection order, children in dependency order: the order in
        which DVC executes when everything is selected.
        """
        done: set[StageId] = set()
        order: list[StageId] = []
        for start in self.stages:
            if within is None or start in within:
                self._finish(start, within, done, order)
        return order

    def _finish(
        self,
        start: StageId,
        within: set[StageId] | None,
        done: set[StageId],
        order: list[StageId],
    ) -> None:
        if start in done:
            return
        done.add(start)
        path: list[tuple[StageId, Iterator[StageId]]] = [(start, iter(self._upstream[start]))]
        while path:
            stage, children = path[-1]
            for child in children:
                if child not in done and (within is None or child in within):
                    done.add(child)
                    path.append((child, iter(self._upstream[child])))
                    break
            else:
                path.pop()
                order.append(stage)


def build_graph(stages: Sequence[Stage], *, root: str) -> Graph:
    """The graph of all stages of the project at the absolute path `root`.

    Raises PipelineError if two outputs are the same or overlap, a stage's file lies inside an
    output, an output is named like a DVC file, or stages wait for each other in a circle.
    """
    by_id = {stage.id: stage for stage in stages}
    outputs = OutputTree(root)
    for id, stage in by_id.items():
        for out in stage.outs:
            outputs.add(Made(id, stage, out))
    outputs.check_stage_files(stages)

    makers: dict[Location, tuple[StageId, ...]] = {}
    upstream: dict[StageId, tuple[StageId, ...]] = {}
    for id, stage in by_id.items():
        needed: dict[StageId, None] = {}
        for location in _edge_locations(stage):
            if location not in makers:
                makers[location] = tuple(made.id for made in outputs.touching(location))
            needed.update(dict.fromkeys(makers[location]))
        upstream[id] = tuple(needed)
    graph = Graph(stages=by_id, _upstream=upstream, _downstream=_reverse(upstream))
    _check_acyclic(graph)
    return graph


def _edge_locations(stage: Stage) -> list[Location]:
    if any(dep.source and ("repo" in dep.source or "db" in dep.source) for dep in stage.deps):
        return []
    files = [dep.location for dep in stage.deps if not dep.location.startswith(DATASET)]
    return files + [params.location for params in stage.params]


def _reachable(
    stages: Iterable[StageId], edges: Mapping[StageId, tuple[StageId, ...]]
) -> set[StageId]:
    seen = set(stages)
    pending = list(seen)
    while pending:
        for other in edges[pending.pop()]:
            if other not in seen:
                seen.add(other)
                pending.append(other)
    return seen


def _reverse(
    edges: Mapping[StageId, tuple[StageId, ...]],
) -> dict[StageId, tuple[StageId, ...]]:
    reverse: dict[StageId, list[StageId]] = {stage: [] for stage in edges}
    for stage, others in edges.items():
        for other in others:
            reverse[other].append(stage)
    return {stage: tuple(others) for stage, others in reverse.items()}


def _check_acyclic(graph: Graph) -> None:
    waiting = {stage: len(graph.upstream(stage)) for stage in graph.stages}
    ready = [stage for stage, count in waiting.items() if not count]
    while ready:
        done = ready.pop()
        del waiting[done]
        for stage in graph.downstream(done):
            waiting[stage] -= 1
            if not waiting[stage]:
                ready.append(stage)
    if waiting:
        raise _cycle(graph, waiting)


def _cycle(graph: Graph, stuck: Mapping[StageId, int]) -> PipelineError:
    """The error naming one circle among stages that all wait for one of each other."""
    trail: dict[StageId, None] = {}
    at = next(iter(stuck))
    while at not in trail:
        trail[at] = None
        at = next(up for up in graph.upstream(at) if up in stuck)
    stages = list(trail)
    circle = [*stages[stages.index(at) :], at]
    names = " -> ".join(describe(graph.stages[id]) for id in circle)
    message = "depends on its own output" if len(circle) == 2 else "stages depend on each other"
    return PipelineError(
        f"{message}: {names}",
        where=at.file,
        hint="remove one of these dependencies (freezing a stage does not break the circle)",
    )
