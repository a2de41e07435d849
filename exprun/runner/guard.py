"""DVC's locks around the work in a shared workspace, so that ``dvc`` beside exprun is safe."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from exprun.model.paths import is_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
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
    async def running(
        self, stage: Stage, site: Site, prepare: Callable[[], None]
    ) -> AsyncIterator[None]:
        """Held while the command of a stage runs: others may not write what it reads.

        `prepare` is called once it is held, in a worker thread.
        """
        # Others that take the locks need no event loop.
        from anyio import CancelScope

        from exprun.runner import threads

        if self._paths is None:
            await threads.run_sync(prepare)
            yield
            return
        reads = [dep.location for dep in stage.deps] + [file.location for file in stage.params]
        writes = [out.location for out in stage.outs]
        held = self._paths.held(
            read=[site.path(location) for location in reads if not is_url(location)],
            write=[site.path(location) for location in writes if not is_url(location)],
            patience=self._patience,
        )

        def enter() -> ExitStack:
            with ExitStack() as undo:
                undo.enter_context(held)  # somebody else may have to be waited for
                prepare()
                return undo.pop_all()

        release = await threads.run_sync(enter)
        try:
            yield
        finally:
            with CancelScope(shield=True):
                await threads.run_sync(release.close)
