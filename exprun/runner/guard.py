"""DVC's locks around the work in a shared workspace, so that ``dvc`` beside exprun is safe."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from exprun.model.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from exprun.model.stage import Stage
    from exprun.project.locks import Patience, RepoLock
    from exprun.project.rwlock import ReadWriteLock
    from exprun.runner.opening import Opened
    from exprun.runner.site import Site
    from exprun.runner.turns import Turns

T = TypeVar("T")


def repo_lock(opened: Opened) -> RepoLock:
    """DVC's lock of the project, of the kind that its configuration asks for."""
    from exprun.project.locks import RepoLock

    return RepoLock(opened.place.tmp_dir, hardlink=opened.config.core.hardlink_lock)


def path_locks(opened: Opened, cmd: str) -> ReadWriteLock:
    """DVC's list of the paths that commands use, as `cmd` sees it."""
    from exprun.project.rwlock import ReadWriteLock

    hardlink = opened.config.core.hardlink_lock
    return ReadWriteLock(opened.place.tmp_dir, cmd=cmd, hardlink=hardlink)


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
        self._turns: Turns | None = None

    def working(self) -> AbstractContextManager[None]:
        """Held while shared files are read to decide, or written; not while a command runs."""
        return self._repo.held(self._patience) if self._repo else nullcontext()

    async def work(
        self,
        work: Callable[[], T],
        *,
        then: Callable[[], None] | None = None,
        urgent: bool = False,
    ) -> T:
        """What `work` returns, done in a worker thread while the project is locked, as `working`.

        See `Turns.take`. Without locks nothing is gathered, and `then` is left to the run's end.
        """
        # Others that take the locks need no event loop.
        from exprun.runner import threads
        from exprun.runner.turns import Turns

        if self._repo is None:
            return await threads.run_sync(work)
        self._turns = self._turns or Turns(self.working)
        return await self._turns.take(work, then=then, urgent=urgent)

    async def enter(self, stage: Stage, site: Site, prepare: Callable[[], None]) -> ExitStack:
        """See to it that nobody else writes what a stage reads or makes, and then `prepare`.

        To be left, by `leave` or by closing what is returned, when the stage has been saved.
        """
        from exprun.project.locks import Busy
        from exprun.runner import threads

        entered = ExitStack()
        paths = self._paths
        if paths is None:
            await self.work(prepare, urgent=True)
            return entered
        reads = [dep.location for dep in stage.deps] + [file.location for file in stage.params]
        writes = [out.location for out in stage.outs]
        held = partial(
            paths.held,
            read=[site.path(location) for location in reads if not is_url(location)],
            write=[site.path(location) for location in writes if not is_url(location)],
        )

        def enter_at_once() -> bool:
            try:
                entered.enter_context(held())
            except Busy:
                return False
            prepare()
            return True

        try:
            if not await self.work(enter_at_once, urgent=True):
                # Whoever is in the way may need the project to end.
                await threads.run_sync(entered.enter_context, held(patience=self._patience))
                await self.work(prepare, urgent=True)
        except BaseException:
            await self.leave(entered)
            raise
        return entered

    async def leave(self, entered: ExitStack) -> None:
        """Give back what `enter` took. Being cancelled waits."""
        from anyio import CancelScope

        from exprun.runner import threads

        with CancelScope(shield=True):
            await threads.run_sync(entered.close)
