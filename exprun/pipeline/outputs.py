"""The outputs of all stages as a tree of path components, and what may not be among them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from exprun.errors import PipelineError
from exprun.model.paths import Location, is_url, join
from exprun.pipeline.spelling import is_dvc_file, lock_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exprun.model.stage import Output, Stage, StageId


class Made(NamedTuple):
    """An output, and the stage that makes it."""

    id: StageId
    stage: Stage
    out: Output


class _Node:
    """A directory or file of the tree of outputs; children in order of insertion."""

    __slots__ = ("children", "made")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.made: Made | None = None

    def beneath(self) -> Iterator[Made]:
        """The outputs here and beneath, directories in order of their first output."""
        pending = [self]
        while pending:
            node = pending.pop()
            if node.made is not None:
                yield node.made
            pending.extend(reversed(node.children.values()))


class OutputTree:
    """The outputs of all stages as a tree of path components, so that overlaps are cheap to find.

    The tree begins at the root of the file system, because a dependency outside the project
    (``..``) may contain it; `_project` is where locations inside the project begin.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._top = _Node()
        self._enclosing = [self._top]
        for part in posixpath.normpath(root).rstrip("/").split("/"):
            self._enclosing.append(_descend(self._enclosing[-1], part))
        self._project = self._enclosing.pop()

    def _start(self, location: Location) -> tuple[list[_Node], _Node, list[str]]:
        """The nodes above `location`'s first component, the node to go on from, and the rest."""
        if location == ".":
            return self._enclosing, self._project, []
        if not location.startswith(("..", "/")) and "://" not in location:
            return self._enclosing, self._project, location.split("/")
        if not is_url(location):
            location = join(Location(self._root), location)
        return [], self._top, location.rstrip("/").split("/")

    def add(self, made: Made) -> None:
        """Raises PipelineError if `made` is named like a DVC file, or meets another output."""
        _check_name(made)
        above, node, parts = self._start(made.out.location)
        outers = [outer.made for outer in above if outer.made]
        for part in parts:
            if node.made:
                outers.append(node.made)
            node = node.children.get(part) or _descend(node, part)
        if outers:
            raise _overlap(outers[0], made)
        if node.made:
            raise _duplicate(node.made, made)
        if node.children:
            for inner in node.beneath():
                raise _overlap(made, inner)
        node.made = made

    def touching(self, location: Location) -> Iterator[Made]:
        """What contains `location`, then what lies beneath it."""
        above, node, parts = self._start(location)
        for outer in above:
            if outer.made is not None:
                yield outer.made
        for part in parts:
            if node.made is not None:
                yield node.made
            child = node.children.get(part)
            if child is None:
                return
            node = child
        if node.children:
            yield from node.beneath()
        elif node.made is not None:
            yield node.made

    def check_stage_files(self, stages: Iterable[Stage]) -> None:
        """Raises PipelineError if the file of a stage lies inside an output, or an output is its
        lock file.
        """
        for file in dict.fromkeys(stage.file for stage in stages):
            for made in self.touching(file):
                raise PipelineError(
                    f"'{file}' lies inside '{made.out.location}', "
                    f"an output of {describe(made.stage)}",
                    where=file,
                    hint="move the file out of that directory, or name the outputs one by one",
                )
            for made in self.touching(lock_of(file)):
                raise _dvc_file(made)


def _descend(node: _Node, part: str) -> _Node:
    child = node.children[part] = _Node()
    return child


def _check_name(made: Made) -> None:
    if is_dvc_file(made.out.path):
        raise _dvc_file(made)


def _dvc_file(made: Made) -> PipelineError:
    return PipelineError(
        f"stage {describe(made.stage)} names the DVC file '{made.out.path}' as an output",
        where=made.stage.file,
        hint="give the output another name",
    )


def _duplicate(first: Made, second: Made) -> PipelineError:
    location = second.out.location
    if first.id == second.id:
        return PipelineError(
            f"stage {describe(second.stage)} names the output '{location}' twice",
            where=second.stage.file,
            hint="remove one of the two entries",
        )
    return PipelineError(
        f"output '{location}' is made by both {describe(first.stage)} and {describe(second.stage)}",
        where=second.stage.file,
        hint="let only one stage make it",
    )


def _overlap(outer: Made, inner: Made) -> PipelineError:
    return PipelineError(
        f"output '{inner.out.location}' of {describe(inner.stage)} lies inside "
        f"output '{outer.out.location}' of {describe(outer.stage)}",
        where=inner.stage.file,
        hint="keep outputs in separate directories, or name the files one by one",
    )


def describe(stage: Stage) -> str:
    """`stage` as messages about the graph name it, wherever they are read."""
    return f"'{stage.file}'" if stage.name is None else f"'{stage.name}' ({stage.file})"
