"""What happens to the stages of a plan: told as events, and their ends kept beside the logs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from anyio import sleep_forever

from exprun import events
from exprun.executors.logs import LogRecord, record_of, write_record
from exprun.model.experiment import StageResult
from exprun.model.job import FailureClass
from exprun.model.paths import is_outside, is_url, spell
from exprun.model.values import dataclass
from exprun.pipeline.targets import address
from exprun.runner.work import Need

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exprun.errors import ExecutorError
    from exprun.model.job import CancelReason, Command, JobOutcome
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.bus import Audience
    from exprun.runner.failures import Failure
    from exprun.runner.site import Site
    from exprun.runner.work import Saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Tells of `stages` by their index, named as seen from `cwd`, on the event loop's thread."""

    stages: Sequence[Stage]
    site: Site
    cwd: Location
    experiment: str | None
    emit: Callable[[events.Event], None]

    def address(self, index: int) -> str:
        """How a stage is shown."""
        return address(self.stages[index], self.cwd)

    def skipped(self, index: int) -> None:
        """Nothing has changed."""
        is_data = self.stages[index].has_only_data
        stage = self.address(index)
        self.emit(events.StageSkipped(stage=stage, experiment=self.experiment, is_data=is_data))

    def pulled(self, index: int) -> None:
        """Only data was missing."""
        self.emit(events.StagePulled(stage=self.address(index), experiment=self.experiment))

    def settles(self, index: int, need: Need) -> None:
        """A stage is brought up to date without its command."""
        stage, experiment = self.address(index), self.experiment
        if need is Need.RESTORE:
            self.emit(events.StageRestored(stage=stage, experiment=experiment))
        elif need is Need.IMPORT:
            self.emit(
                events.StageImporting(
                    stage=stage,
                    experiment=experiment,
                    source=self._spelled(self.stages[index].deps[0].location),
                    output=self._spelled(self.stages[index].outs[0].location),
                )
            )
        else:
            is_data = not self.stages[index].frozen
            self.emit(events.StageVerified(stage=stage, experiment=experiment, is_data=is_data))

    def waits_for(self, index: int, held: str) -> None:
        """What a stage needs is held by another process."""
        self.site.warn(f"'{self.address(index)}' waits for {held}, which another process uses")

    def started(self, index: int, log: str, attempt: int) -> None:
        """The commands are about to run."""
        self.emit(
            events.StageStarted(
                stage=self.address(index), experiment=self.experiment, log=log, attempt=attempt
            )
        )

    def stops(self, index: int, reason: CancelReason) -> None:
        """The commands are asked to end."""
        stage = self.address(index)
        self.emit(events.StageStopping(stage=stage, experiment=self.experiment, reason=reason))

    def put_off(self, index: int, error: ExecutorError) -> None:
        """The machine had no room for the commands; they are started later."""
        stage = self.address(index)
        self.emit(
            events.StageDeferred(stage=stage, experiment=self.experiment, message=error.message)
        )

    def retries(self, index: int, delay_s: float) -> None:
        """The commands are run again after a while."""
        stage = self.address(index)
        self.emit(events.StageRetrying(stage=stage, experiment=self.experiment, delay_s=delay_s))

    def finished(
        self, index: int, saved: Saved, outcome: JobOutcome | None, log: str | None
    ) -> None:
        """A stage is up to date: by its commands, if there is an `outcome`."""
        if saved.recorded is not None:
            self.emit(
                events.LockWritten(
                    file=saved.recorded.file,
                    created=saved.recorded.created,
                    changed=saved.recorded.changed,
                    experiment=self.experiment,
                )
            )
        if outcome is not None and log:
            self._keep(log, record_of(self.address(index), outcome))
        self.emit(
            events.StageFinished(
                stage=self.address(index),
                experiment=self.experiment,
                result=StageResult.SUCCEEDED if outcome is not None else StageResult.RESTORED,
                duration_s=outcome.duration_s if outcome else 0.0,
            )
        )

    def failed(
        self, index: int, failure: Failure, outcome: JobOutcome | None, log: str | None
    ) -> None:
        """A stage has failed, or was stopped."""
        kind, message, stage = failure.kind, failure.message, self.address(index)
        duration_s = outcome.duration_s if outcome else 0.0
        if log and outcome:
            self._keep(log, record_of(stage, outcome, failure=kind, message=message))
        elif log:
            self._keep(log, LogRecord(stage=stage, failure=kind, duration_s=0.0, message=message))
        is_cancelled = kind is FailureClass.INTERRUPTED
        self.emit(
            events.StageFinished(
                stage=stage,
                experiment=self.experiment,
                result=StageResult.CANCELLED if is_cancelled else StageResult.FAILED,
                message=message,
                failure=kind,
                duration_s=duration_s,
            )
        )

    def blocks(self, index: int) -> None:
        """What needs a stage that failed will not run."""
        graph = self.site.project.graph.active()
        below = graph.all_downstream([self.stages[index].id]) - {self.stages[index].id}
        blocked = [i for i, stage in enumerate(self.stages) if stage.id in below]
        if blocked:
            self.emit(
                events.StagesBlocked(
                    stage=self.address(index),
                    blocked=tuple(self.address(i) for i in blocked),
                    experiment=self.experiment,
                )
            )

    def _spelled(self, location: Location) -> str:
        """A path as DVC prints it: outside of the project the absolute one."""
        if is_outside(location) and not is_url(location):
            return os.path.normpath(self.site.path(location))
        return spell(location, start=self.cwd)

    def _keep(self, log: str, record: LogRecord) -> None:
        try:
            write_record(log, record)
        except OSError as error:
            # A run is not worse for want of a record of it.
            self.site.warn(f"how '{record.stage}' ended is not recorded: {error}")


class StageOutputs:
    """Turns the output of one stage into events; `exprun.abc.OutputSink`.

    That is wanted `always`, or when the `audience` wants it.
    """

    def __init__(
        self, teller: Teller, index: int, *, always: bool, audience: Audience | None
    ) -> None:
        self._always = always
        self._audience = audience
        self._stage = teller.address(index)
        self._experiment = teller.experiment
        self._emit = teller.emit

    @property
    def is_wanted(self) -> bool:
        return self._always or (self._audience is not None and self._audience.wants_output())

    async def wanted(self) -> None:
        if self._audience is not None:
            await self._audience.wanting_output()
        elif not self._always:
            await sleep_forever()

    def command_started(self, index: int, command: Command) -> None:
        self._emit(
            events.CommandStarted(
                stage=self._stage, experiment=self._experiment, command=command.display
            )
        )

    def write(self, data: bytes, *, offset: int) -> None:
        self._emit(
            events.StageOutput(
                stage=self._stage, experiment=self._experiment, data=data, offset=offset
            )
        )
