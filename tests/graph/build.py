"""Short ways to make stages for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.model.paths import ROOT, Location, join, parent
from exprun.model.stage import Dependency, Output, ParamsFile, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence


def stage(
    name: str | None,
    deps: Sequence[str] = (),
    outs: Sequence[str] = (),
    *,
    params: Sequence[str] = (),
    file: str = "dvc.yaml",
    frozen: bool = False,
) -> Stage:
    """A stage whose paths are relative to the directory of its file."""
    wdir = parent(Location(file)) or ROOT
    return Stage(
        name=name,
        file=Location(file),
        wdir=wdir,
        cmd="true",
        deps=tuple(Dependency(path=path, location=join(wdir, path)) for path in deps),
        params=tuple(ParamsFile(path=path, location=join(wdir, path)) for path in params),
        outs=tuple(Output(path=path, location=join(wdir, path)) for path in outs),
        frozen=frozen,
    )
