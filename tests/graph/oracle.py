"""Stages as DVC's graph code sees them, and a generator of random pipelines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .build import stage

if TYPE_CHECKING:
    from random import Random

    from exprun.model.stage import Stage, StageId

ROOT = "/some/project"

DVC_WARNS = "ignore:_NoneStep:DeprecationWarning"
"""pygtrie complains about how DVC uses it."""


class DvcPath:
    """What DVC's graph code asks of an output or a dependency."""

    def __init__(self, location: str, owner: DvcStage) -> None:
        from dvc.fs import localfs

        self.fs = localfs
        self.fs_path = os.path.normpath(os.path.join(ROOT, location))
        self.stage = owner


class DvcStage:
    """What DVC's graph code asks of a stage."""

    is_repo_import = False
    is_db_import = False

    def __init__(self, value: Stage) -> None:
        self.value = value
        self.addressing = f"{value.file}:{value.name}"
        self.path = os.path.join(ROOT, value.file)
        self.frozen = value.frozen
        self.outs = [DvcPath(out.location, self) for out in value.outs]
        self.deps = [DvcPath(dep.location, self) for dep in value.deps]
        self.deps += [DvcPath(params.location, self) for params in value.params]


def dvc_graph(stages: list[Stage]) -> tuple[Any, dict[StageId, DvcStage]]:
    """DVC's graph of `stages`, and its node for each of them."""
    from dvc.repo.graph import build_graph

    nodes = [DvcStage(value) for value in stages]
    return build_graph(nodes), {node.value.id: node for node in nodes}


def random_stages(rng: Random, *, size: int) -> list[Stage]:
    """A random pipeline without circles, its definition order unrelated to its edges."""
    stages = []
    made: list[str] = []
    for index in range(size):
        outs = [f"d{index % 3}/o{index}", f"d{index % 3}/p{index}/q"][: rng.randint(0, 2)]
        pool = [*made, *(f"{out}/part" for out in made), "source", "elsewhere/file"]
        deps = rng.sample(pool, min(len(pool), rng.randint(0, 4)))
        if index > 4 and rng.random() < 0.1:
            deps.append(f"d{index % 3}/p{rng.randrange(index)}")
        params = rng.sample(["params.yaml", *made], 1)
        chosen = [dep for dep in deps if not any(dep.startswith(out) for out in outs)]
        stages.append(stage(f"s{index}", chosen, outs, params=params, frozen=rng.random() < 0.15))
        made += outs
    rng.shuffle(stages)
    return stages
