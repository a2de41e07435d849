"""Running queued experiments: each in an isolated workspace, all of them under one scheduler."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from anyio import CancelScope, CapacityLimiter

from exprun import events
from exprun.git.experiment_refs import ExperimentRef
from exprun.git.identity import committer
from exprun.model.job import CancelReason
from exprun.model.values import dataclass
from exprun.project.files import DiskFiles
from exprun.queue.attempts import Orchestrator
from exprun.queue.records import STARTABLE
from exprun.runner import threads
from exprun.runner.driver import NotOpened
from exprun.runner.endings import Endings
from exprun.runner.failures import FAULTS, Failure, failure_from, failure_of_plan
from exprun.runner.guard import Guard
from exprun.runner.keeping import keep_state
from exprun.runner.needs import require_fit
from exprun.runner.publishing import publish_commit, write_experiment
from exprun.runner.setting_out import leave_outputs, set_out_isolated, source_of
from exprun.runner.sharing import open_sharing, share
from exprun.runner.slots import SlotPool
from exprun.runner.watching import Watch
from exprun.scheduler.vocabulary import ExperimentVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from exprun.git.experiments import Published
    from exprun.git.repository import Repository
    from exprun.queue.attempts import Attempt
    from exprun.queue.queue import Queue
    from exprun.queue.records import Entry
    from exprun.runner.driver import Closed
    from exprun.runner.prepared import Prepared
    from exprun.runner.reproduction import Reproduction
    from exprun.runner.session import Session
    from exprun.runner.sharing import Sharing
    from exprun.scheduler.vocabulary import ExperimentPlan, StageState, Stimulus
    from exprun.workspaces.isolated import IsolatedWorkspace, Slot, WorkspaceSource

TRAILER = "Exprun-Attempt: "

_AT_ONCE = 8
"""How many experiments are set out at a time, and how many are stored. The others keep no thread
waiting for the repository.
"""


@dataclass(slots=True, kw_only=True)
class _Open:
    """An experiment that runs, and what it holds until it `has_left`."""

    attempt: Attempt
    slot: Slot
    repository: Repository
    prepared: Prepared
    reproduction: Reproduction
    plan: ExperimentPlan
    has_left: bool = False


class QueueRun:
    """The driver's source of queued experiments; `endings` tells how they ended.

    The Git repository is used by one thread at a time, but to publish: what takes long then is the
    disk, and those that end meanwhile are made durable together.
    """

    def __init__(
        self,
        session: Session,
        queue: Queue,
        orchestrator: Orchestrator,
        *,
        source: WorkspaceSource,
        sharing: Sharing | None,
    ) -> None:
        self.endings = Endings(session, queue)
        self._session = session
        self._queue = queue
        self._orchestrator = orchestrator
        self._slots = SlotPool(session.opened.place, session.opened.warn)
        self._source = source
        self._open: dict[str, _Open] = {}
        self._git = Lock()
        self._making, self._storing = CapacityLimiter(_AT_ONCE), CapacityLimiter(_AT_ONCE)
        self._sharing = sharing

    async def remove_workspaces(self) -> None:
        """Remove the workspaces that were used, even when everything is being cancelled."""
        with CancelScope(shield=True):
            store = self._session.opened.store
            await threads.run_sync(self._slots.close, store)
            await threads.run_sync(store.close)

    async def open(self, experiment: str) -> tuple[Reproduction, ExperimentPlan] | NotOpened:
        """Claim an experiment and make its workspace; see `exprun.runner.driver.Source`."""
        try:
            begun = await threads.run_sync(self._begin, experiment, limiter=self._making)
        except FAULTS as error:
            await self.endings.tell_not_started(experiment, error)
            return NotOpened(failed=True)
        if begun is None:
            return NotOpened(failed=False)
        attempt, made = begun
        if isinstance(made, str):
            return NotOpened(failed=False, ended=self.endings.tell_success(attempt, made))
        self._session.emit(
            events.ExperimentStarted(
                experiment=attempt.entry.name,
                baseline=attempt.entry.baseline,
                log_dir=attempt.log_dir,
            )
        )
        if isinstance(made, Failure):
            ended = await self.endings.fail(attempt, made.kind, made.message)
            return NotOpened(failed=True, ended=ended)
        self._open[experiment] = made
        return made.reproduction, made.plan

    async def close(
        self,
        reproduction: Reproduction,
        verdict: ExperimentVerdict,
        states: tuple[StageState, ...],
    ) -> Closed:
        """Store a finished experiment, or record why there is none."""
        opened = self._open.pop(reproduction.id)
        try:
            if verdict is not ExperimentVerdict.SUCCEEDED:
                return await self._give_up(opened, verdict)
            try:
                store = partial(self._store, opened, states)
                published = await threads.run_sync(store, limiter=self._storing)
            except FAULTS as error:
                kept = await threads.run_sync(self._keep, opened)
                await threads.run_sync(opened.slot.strip)
                failure = failure_from(error)
                return await self.endings.fail(
                    opened.attempt, failure.kind, failure.message, kept=kept
                )
            await share(self._session, self._sharing, published, reproduction.site)
            return self.endings.tell_success(opened.attempt, published.commit)
        finally:
            if not opened.has_left:
                with CancelScope(shield=True):
                    await threads.run_sync(self._leave, opened)

    async def watch(
        self, tell: Callable[[Stimulus], None], *, ids: Container[str] | None = None
    ) -> None:
        """Pass on what others do to the queue meanwhile; see `exprun.runner.watching`."""
        await Watch(self._session, self._queue, self._orchestrator, ids=ids).run(tell)

    def _begin(self, experiment: str) -> tuple[Attempt, _Open | Failure | str] | None:
        """Claim an experiment and make its workspace, or say why there is none.

        One that was stored already needs none, only its commit.
        """
        attempt = self._orchestrator.claim(experiment)
        if attempt is None:
            return None
        try:
            stored = self._stored(attempt)
        except FAULTS:
            self.endings.give_back(attempt)
            raise
        if stored is not None:
            return attempt, stored
        try:
            return attempt, self._make(attempt)
        except FAULTS as error:
            return attempt, failure_from(error)

    def _stored(self, attempt: Attempt) -> str | None:
        """The commit of an earlier attempt that stored its result and died before telling.

        Now it is told.
        """
        repository = self._session.opened.repository
        ref = ExperimentRef(attempt.entry.baseline, attempt.entry.name)
        commit = repository.refs.read(str(ref))
        if commit is None or not self._has_made(attempt.entry, commit):
            return None
        self.endings.record_success(attempt, commit)
        return commit

    def _has_made(self, entry: Entry, commit: str) -> bool:
        """Whether the commit is of an earlier attempt of this experiment."""
        if entry.last is not None and entry.last.direct:
            return entry.last.rev == commit
        data = self._session.opened.repository.objects.read(commit, "commit")
        text = data.decode(errors="replace")
        return any(text.endswith(TRAILER + earlier) for earlier in entry.attempts)

    def _make(self, attempt: Attempt) -> _Open:
        """A workspace with all that an experiment starts from."""
        slot = self._slots.take()
        try:
            with self._git:
                workspace = self._write_files(attempt.entry, slot)
            # Large data takes a while, in which others are stored or set out.
            return self._set_out(attempt, slot, workspace)
        except BaseException:
            self._slots.give_back(slot)
            raise

    def _write_files(self, entry: Entry, slot: Slot) -> IsolatedWorkspace:
        """Write the files that Git has of an experiment."""
        if entry.spec.copy_paths:
            slot.leave(())  # They may go to what was left.
        tree = self._session.opened.repository.tree_of(entry.commit)
        return slot.make(self._source, baseline=entry.baseline, tree=tree)

    def _set_out(self, attempt: Attempt, slot: Slot, workspace: IsolatedWorkspace) -> _Open:
        entry = attempt.entry
        ref = ExperimentRef(entry.baseline, entry.name)
        site, prepared = set_out_isolated(
            self._session.opened, entry.spec, ref, workspace, attempt.copies_dir
        )
        require_fit(prepared.stages, self._session.limits, DiskFiles(site.root))
        reproduction = self._session.reproduction(
            prepared.stages,
            site,
            options=prepared.spec.options,
            guard=Guard(),
            experiment=(entry.name, entry.baseline),
            id=entry.id,
            log_dir=attempt.log_dir,
            is_attended=False,
        )
        plan = reproduction.plan(serial=False)
        reproduction.foresee(plan)
        self._session.announce(reproduction)
        return _Open(
            attempt=attempt,
            slot=slot,
            repository=workspace.repository,
            prepared=prepared,
            reproduction=reproduction,
            plan=plan,
        )

    def _store(self, opened: _Open, states: Sequence[StageState]) -> Published:
        """Store a finished experiment, and leave its workspace if nothing else needs it."""
        write = partial(self._write, opened, states)
        published = publish_commit(
            self._session.opened, opened.prepared, opened.reproduction, write
        )
        self.endings.record_success(opened.attempt, published.commit)
        leave_outputs(opened.slot, opened.repository, opened.reproduction.site)
        if self._sharing is None:
            self._leave(opened)
        return published

    def _write(self, opened: _Open, states: Sequence[StageState]) -> str:
        opened.reproduction.site.records.flush()
        with self._git:
            return write_experiment(
                self._session.opened,
                opened.prepared,
                opened.reproduction,
                states,
                opened.repository,
                trailer=TRAILER + opened.attempt.record.id,
            )

    def _leave(self, opened: _Open) -> None:
        opened.has_left = True
        opened.reproduction.site.store.close()
        self._session.withdraw(opened.reproduction)
        if opened.reproduction.allows_daemons:
            # Those that live on may have files open, which must not become another experiment's.
            try:
                opened.slot.clear()
            except OSError:  # And go on making some: nobody else gets it.
                return
        self._slots.give_back(opened.slot)

    async def _give_up(self, opened: _Open, verdict: ExperimentVerdict) -> Closed:
        """Record a failure, or put the experiment back into the queue; its files are kept."""
        attempt, reproduction = opened.attempt, opened.reproduction
        if verdict is ExperimentVerdict.NOT_BEGUN:
            return await self.endings.take_back(attempt)
        kept = None
        # Whoever asks twice for the end does not want to wait for this.
        if self._session.cancelled is not CancelReason.KILLED:
            kept = await threads.run_sync(self._keep, opened)
        if verdict is not ExperimentVerdict.FAILED:
            return await self.endings.interrupt(attempt, kept=kept)
        # Whatever filled the disk makes room before anything else is written.
        await threads.run_sync(opened.slot.strip)
        why = failure_of_plan(reproduction.failures, reproduction.address)
        return await self.endings.fail(attempt, *why, kept=kept)

    def _keep(self, opened: _Open) -> str | None:
        """A commit of what there is of an experiment without a result."""
        with self._git:
            return keep_state(self._session.opened, opened.reproduction, opened.repository)


async def open_run(session: Session, queue: Queue, orchestrator: Orchestrator) -> QueueRun:
    """A source of the experiments that `orchestrator` can claim."""
    await threads.run_sync(committer, session.opened.repository)  # That is, while nothing has run.
    source = await threads.run_sync(source_of, session.opened)
    sharing = await threads.run_sync(open_sharing, session.opened)
    return QueueRun(session, queue, orchestrator, source=source, sharing=sharing)


async def run_queued(
    session: Session,
    queue: Queue,
    ids: Sequence[str] | None = None,
    *,
    max_failures: int | None = None,
    fail_fast: bool = False,
) -> Endings:
    """Run queued experiments, those of `ids` or all; which of them succeeded and which failed.

    After `max_failures` failures no further one is started; to `fail_fast` is to stop those that
    run at the first one, and they stay in the queue. What is queued meanwhile is run too,
    unless `ids` are given. Other processes may do the same at the same time: no experiment is run
    twice. Being cancelled stops the commands, and what has not finished stays in the queue.
    """
    with Orchestrator(queue) as orchestrator:
        run = await open_run(session, queue, orchestrator)
        try:
            entries = await threads.run_sync(queue.unfinished)
            wanted = None if ids is None else frozenset(ids)
            waiting = [entry.id for entry in entries if entry.state in STARTABLE]
            await session.run(
                run,
                [id for id in waiting if wanted is None or id in wanted],
                beside=partial(run.watch, ids=wanted),
                max_failures=max_failures,
                fail_fast=fail_fast,
            )
        finally:
            await run.remove_workspaces()
    return run.endings
