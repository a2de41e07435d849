"""What the commands of a stage have done to the data it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import StoreError
from exprun.model.job import FailureClass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.lock import Content, LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Dependency, Stage
    from exprun.runner.site import Site


class CacheDamaged(StoreError):
    """A stage has written into the cache, through a link in the workspace."""

    failure = FailureClass.INPUT_MISSING


def check_inputs(
    site: Site, stage: Stage, before: LockedStage, after: Mapping[Location, Content]
) -> None:
    """Compare what a stage read, as it was `before` its commands ran, with what is there now.

    A file that is another one now is only warned of: DVC records what is there after the run, and a
    command that edits its own dependency cannot be told from a user who does. Raises CacheDamaged
    if a dependency is a link through which an object in the cache was written to.
    """
    known = {dep.path: dep.content for dep in before.deps}
    for dep in stage.deps:
        old, new = known.get(dep.path), after.get(dep.location)
        if old is None or new is None:
            continue
        _check_objects(site, stage, dep, old)
        if not (old.is_dir or old.same_data(new)):
            site.warn(
                f"dependency '{dep.path}' changed while stage '{stage.name}' ran: "
                "what it holds now is recorded as what the stage read"
            )


def check_params(site: Site, stage: Stage, before: LockedStage, after: LockedStage) -> None:
    """Warn of parameters that are others now: like dependencies, they are recorded as they are."""
    for path, values in after.params.items():
        if before.params.get(path) != values:
            site.warn(
                f"parameters in '{path}' changed while stage '{stage.name}' ran: "
                "what they are now is recorded as what the stage read"
            )


def _check_objects(site: Site, stage: Stage, dep: Dependency, content: Content) -> None:
    if site.store.lends_files and site.store.damaged(content, at=site.path(dep.location)):
        raise CacheDamaged(
            f"stage '{stage.name}' wrote into the cache through its dependency '{dep.path}'",
            where=stage.file,
            hint="let the stage change a copy; the data is made again, or fetched, when needed",
        )
