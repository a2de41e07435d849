"""DVC's locks around the work in a shared workspace, so that ``dvc`` beside exprun is safe."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from exprun.model.paths import is_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager

    from exprun.model.stage import Stage
    from exprun.project.locks import Patience, RepoLock
    from exprun.project.rwlock import ReadWriteLock
    from exprun.runner.site import Site


class Guard:
    """Takes DVC's locks. Without any (an isolated workspace has no neighbours) it does nothing."""

    def __init__(
        self,
        repo: RepoLock | None = None,
        paths: ReadWriteLock | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._repo = repo
        self._paths = paths
        self._patience = patience

    def working(self) -> AbstractContextManager[None]:
        """Held while shared files are read to decide, or written; not while a command runs."""
        return self._repo.held(self._patience) if self._repo else nullcontext()

    @asynccontextmanager
    async def running(self, stage: Stage, site: Site) -> AsyncIterator[None]:
        """Held while the command of a stage runs: others may not write what it reads."""
        if self._paths is None:
            yield
            return
        reads = [dep.location for dep in stage.deps] + [file.location for file in stage.params]
        writes = [out.location for out in stage.outs]
        held = self._paths.held(
            read=[site.path(location) for location in reads if not is_url(location)],
            write=[site.path(location) for location in writes if not is_url(location)],
            patience=self._patience,
        )
        # Others that take the locks need no event loop.
        from anyio import CancelScope

        from exprun.runner import threads

        # Somebody else may have to be waited for.
        await threads.run_sync(held.__enter__)
        try:
            yield
        finally:
            with CancelScope(shield=True):
                await threads.run_sync(held.__exit__, None, None, None)
