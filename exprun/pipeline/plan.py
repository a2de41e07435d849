"""The plan: which stages a request is about, in the order in which DVC would execute them.

DVC's start order comes from a hash set when few stages are selected; here it is always collection
order, which is DVC's order whenever DVC's is determined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.model.stage import Stage, StageId
    from exprun.pipeline.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a request goes beyond the stages it names. DVC's options of the same names.

    `pipeline` takes the whole pipelines of the stages, `all_pipelines` everything, `downstream`
    what depends on the stages instead of what they need, `single_item` exactly the stages.
    The first two overrule the others, as in DVC.
    """

    pipeline: bool = False
    all_pipelines: bool = False
    downstream: bool = False
    single_item: bool = False

    @property
    def needs_graph(self) -> bool:
        """Whether the request is about more than exactly the stages it names."""
        return self.pipeline or self.all_pipelines or not self.single_item


def plan(graph: Graph, selected: Sequence[Stage], reach: Reach | None = None) -> list[Stage]:
    """The stages to bring up to date, in execution order; every stage if none is `selected`.

    `graph` is the active one: what is beyond a frozen stage is not planned.
    """
    reach = reach or Reach()
    if not reach.needs_graph:
        return list({stage.id: stage for stage in selected}.values())
    chosen = [] if reach.all_pipelines else [stage.id for stage in selected]
    return [graph.stages[id] for id in _order(graph, chosen, reach)]


def _order(graph: Graph, chosen: Sequence[StageId], reach: Reach) -> list[StageId]:
    if not chosen:
        return graph.postorder()
    if reach.pipeline:
        return _pipelines(graph, chosen)
    if reach.downstream:
        return graph.postorder(graph.all_downstream(chosen))
    return graph.postorder(graph.all_upstream(chosen))


def _pipelines(graph: Graph, chosen: Sequence[StageId]) -> list[StageId]:
    order: dict[StageId, None] = {}
    for stage in chosen:
        if stage not in order:
            order.update(dict.fromkeys(graph.postorder(graph.connected(stage))))
    return list(order)
