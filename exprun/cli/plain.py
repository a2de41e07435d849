"""Events as plain lines, in DVC's words: what a pipe, a log or CI gets."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from exprun import events
from exprun.cli.marked import MarkedLines
from exprun.cli.messages import not_changed, warn
from exprun.model.experiment import OnError, StageResult
from exprun.model.paths import spell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.model.paths import Location


class PlainOutput:
    """Prints what happens as it happens. `quiet` leaves only warnings that tell of failures.

    The output of stages is printed here if they run `at_once`. One after the other, they write on
    the terminal themselves.
    """

    def __init__(
        self,
        cwd: Location,
        *,
        quiet: bool,
        at_once: bool = False,
        on_error: OnError = OnError.FAIL,
    ) -> None:
        self._cwd = cwd
        self._quiet = quiet
        self._lines = MarkedLines() if at_once and not quiet else None
        self._on_error = on_error
        self._gap = False

    def show(self, event: events.Event) -> None:
        """Print what `event` is worth a line for."""
        match event:
            case events.ExperimentStarted(experiment=name):
                self._say(f"Reproducing experiment '{name}'")
            case events.StageSkipped(stage=stage, is_data=is_data):
                self._begin_stage(not_changed(stage, is_data=is_data))
            case events.StageRestored(stage=stage):
                self._begin_stage(f"Stage '{stage}' is cached - skipping run, checking out outputs")
            case events.StagePulled(stage=stage):
                self._begin_stage(f"Pulling data for stage: '{stage}'")
            case events.StageVerified(stage=stage, is_data=is_data):
                what = "data sources" if is_data else "outputs"
                kind = "" if is_data else "frozen "
                self._begin_stage(f"Verifying {what} in {kind}stage: '{stage}'")
            case events.StageImporting(source=source, output=output):
                self._begin_stage(f"Importing '{source}' -> '{output}'")
            case events.StageStarted(stage=stage):
                self._begin_stage(f"Running stage '{stage}':")
            case events.CommandStarted(stage=stage, command=command):
                self._say(f"{stage}: > {command}" if self._lines else f"> {command}")
            case events.StageOutput(stage=stage, data=data):
                if self._lines:
                    self._lines.add(stage, data)
            case events.LockWritten(file=file, created=created, changed=changed):
                if created:
                    self._say(f"Generating lock file '{spell(file, start=self._cwd)}'")
                if changed:
                    self._say(f"Updating lock file '{spell(file, start=self._cwd)}'")
            case events.StageFinished(stage=stage, result=result, message=message):
                self._end_output(stage)
                self._gap = result in {StageResult.SUCCEEDED, StageResult.RESTORED}
                if result is StageResult.FAILED and self._on_error is not OnError.FAIL:
                    ignored = " (ignored)" if self._on_error is OnError.IGNORE else ""
                    warn(f"{message}{ignored}")
            case events.StageDeferred(stage=stage, message=message):
                self._end_output(stage)
                warn(f"'{stage}' waits until there is room: {message}")
            case events.StageRetrying(stage=stage, delay_s=delay_s):
                self._end_output(stage)
                self._begin_stage(f"Stage '{stage}' is tried again in {delay_s:g} s")
            case events.StagesBlocked(blocked=blocked):
                warn(f"{_stages(blocked)} will be skipped due to this failure")
            case events.ExperimentPushing(remote=remote):
                self._say(f"Pushing experiment to '{remote}'. Cancel with CTRL+C.")
            case events.ExperimentFinished(experiment=name, rev=str(), isolated=isolated):
                self._say(f"\nRan experiment(s): {name}")
                self._say(
                    "To apply the results of an experiment to your workspace run:\n\n"
                    f"\texprun apply {shlex.quote(name)}"
                    if isolated
                    else "Experiment results have been applied to your workspace."
                )
            case events.WarningRaised(message=message):
                warn(message)
            case _:
                pass

    def _end_output(self, stage: str) -> None:
        if self._lines:
            self._lines.end(stage)

    def _begin_stage(self, line: str) -> None:
        if self._gap:
            self._say("")
            self._gap = False
        self._say(line)

    def _say(self, line: str) -> None:
        if not self._quiet:
            sys.stdout.write(f"{line}\n")
            # A stage's own output must not overtake what was said before it.
            sys.stdout.flush()


def _stages(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    if len(quoted) == 1:
        return f"Stage {quoted[0]}"
    return f"Stages {', '.join(quoted[:-1])} and {quoted[-1]}"
