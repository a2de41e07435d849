"""Pipeline files that were loaded a moment ago: most experiments have them in common."""

from __future__ import annotations

from collections import deque
from operator import attrgetter, is_
from threading import Lock
from typing import TYPE_CHECKING

from exprun.model.recent import Recent
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.pipeline.context import Context
    from exprun.pipeline.graph import Graph
    from exprun.pipeline.pipeline_file import PipelineFile

_MOST = 10_000
"""So many stages are held, at most: some 20 MB."""

_MOST_GRAPHS = 16

_wiring = attrgetter("file", "name", "deps", "params", "outs")
"""All of a stage that its edges in a graph depend on."""

_Key = tuple[str | None, tuple[str, ...], str]
"""The root, or None if any gives the same; the variables that were taken; what they were."""


@dataclass(slots=True)
class _Text:
    """What one text has been loaded as. `vars` are its entries of that name."""

    vars: list[object]
    taken: dict[tuple[str, ...], None] = field(default_factory=dict)
    files: dict[_Key, PipelineFile] = field(default_factory=dict)


class RecentPipelines:
    """The pipeline files that were loaded last, by all that they depend on. Thread-safe.

    That is a file's text, and the variables that its templates took.
    """

    def __init__(self) -> None:
        self._texts: dict[tuple[Location, str], _Text] = {}
        self._order: deque[tuple[tuple[Location, str], _Key]] = deque()
        self._held = 0
        self._graphs: Recent[str, Graph] = Recent(_MOST_GRAPHS)
        self._lock = Lock()

    def vars(self, location: Location, text: str) -> list[object] | None:
        """The ``vars`` of a text, if it has been loaded."""
        known = self._texts.get((location, text))
        return known.vars if known is not None else None

    def find(
        self, location: Location, text: str, *, root: str, context: Context
    ) -> PipelineFile | None:
        """What was loaded from a text with all that matters of `context`."""
        known = self._texts.get((location, text))
        if known is None:
            return None
        for taken in tuple(known.taken):
            values = _values(context, taken)
            if values is not None:
                for place in (None, root):
                    if (file := known.files.get((place, taken, values))) is not None:
                        return file
        return None

    def keep(
        self,
        text: str,
        file: PipelineFile,
        *,
        vars: list[object],
        root: str,
        context: Context,
    ) -> None:
        """Remember what `text` was loaded as with `context`, which knows what was taken."""
        place = root if _may_leave(file) else None
        taken = tuple(sorted(context.taken))
        values = _values(context, taken)
        if values is None:
            return
        at, key = (file.location, text), (place, taken, values)
        with self._lock:
            known = self._texts.setdefault(at, _Text(vars))
            if key in known.files:
                return
            known.taken[taken] = None
            known.files[key] = file
            self._order.append((at, key))
            self._held += _weight(text, values, file)
            while self._held > _MOST:
                self._forget_oldest()

    def graph(self, stages: Sequence[Stage], *, root: str) -> Graph:
        """As `build_graph`; what `root` had last holds if those stages read and made the same."""
        known = self._graphs.get(root)
        if known is None or not _is_wired_alike(known, stages):
            from exprun.pipeline.graph import build_graph

            graph = build_graph(stages, root=root)
        elif all(map(is_, known.stages.values(), stages)):
            return known
        else:
            graph = known.with_stages(stages)
        with self._lock:
            self._graphs[root] = graph
        return graph

    def _forget_oldest(self) -> None:
        at, key = self._order.popleft()
        files = self._texts[at].files
        self._held -= _weight(at[1], key[2], files.pop(key))
        if not files:
            del self._texts[at]


def _is_wired_alike(graph: Graph, stages: Sequence[Stage]) -> bool:
    """Whether the graph of `stages` has the edges of `graph`."""
    return len(graph.stages) == len(stages) and all(
        stage is known or _wiring(stage) == _wiring(known)
        for known, stage in zip(graph.stages.values(), stages, strict=True)
    )


def _weight(text: str, values: str, file: PipelineFile) -> int:
    """How many stages take about as much memory."""
    return 1 + len(file.stages) + (len(text) + len(values)) // 1_000


def _values(context: Context, names: tuple[str, ...]) -> str | None:
    """What `context` has under `names`, and from where: different text for different values.

    None if there is no such text.
    """
    found = [
        [(layer.source, layer.values[name]) for layer in context.layers if name in layer.values]
        for name in names
    ]
    try:
        return repr(found)
    except ValueError:  # an integer of thousands of digits
        return None


def _may_leave(file: PipelineFile) -> bool:
    """Whether there may be a path that was compared with the root."""
    return any(_holds_such_path(dict(stage.definition)) for stage in file.stages)


def _holds_such_path(value: object) -> bool:
    if isinstance(value, str):
        return value.startswith("/") or ".." in value
    if isinstance(value, dict):
        return any(map(_holds_such_path, (*value, *value.values())))
    return isinstance(value, (list, tuple, set)) and any(map(_holds_such_path, value))
