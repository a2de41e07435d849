"""Events of several experiments as plain lines, each telling whose it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio

from exprun import events
from exprun.cli.marked import MarkedLines
from exprun.cli.messages import warn
from exprun.model.experiment import StageResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from exprun.events import StageEvent


class ManyOutput:
    """Prints what happens as it happens, marked with the experiment.

    The output of stages is printed here, marked with the stage, if they run `at_once`. One after
    the other, they write on standard output themselves.
    """

    def __init__(self, *, quiet: bool, at_once: bool) -> None:
        self._quiet = quiet
        self._lines = MarkedLines() if at_once and not quiet else None
        self.lends_stdout = not at_once and not quiet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    async def keep_fresh(self) -> None:
        """Lines that were printed stay as they are."""
        await anyio.sleep_forever()

    def show(self, event: events.Event) -> None:
        """Print what `event` is worth a line for."""
        match event:
            case events.ExperimentStarted(experiment=name):
                self._say(f"Reproducing experiment '{name}'")
            case events.StageSkipped(stage=stage, is_data=is_data):
                what = f"'{stage}'" if is_data else f"Stage '{stage}'"
                self._tell(event, f"{what} didn't change, skipping")
            case events.StageRestored(stage=stage):
                self._tell(event, f"Stage '{stage}' is cached - skipping run, checking out outputs")
            case events.StageStarted(stage=stage):
                self._tell(event, f"Running stage '{stage}':")
            case events.CommandStarted(command=command):
                self._tell(event, f"> {command}")
            case events.StageOutput(data=data):
                if self._lines:
                    self._lines.add(_whose(event), data)
            case events.StageDeferred(stage=stage, message=message):
                self._end_output(event)
                warn(f"{event.experiment}: '{stage}' waits until there is room: {message}")
            case events.StageRetrying(stage=stage, delay_s=delay_s):
                self._end_output(event)
                self._tell(event, f"Stage '{stage}' is tried again in {delay_s:g} s")
            case events.StageFinished(result=result, message=message):
                self._end_output(event)
                if result is StageResult.FAILED:
                    warn(f"{event.experiment}: {message}")
            case events.ExperimentFinished(experiment=name, rev=rev, reason=reason):
                self._say(f"Ran experiment '{name}'" if rev else f"Experiment '{name}': {reason}")
            case events.WarningRaised(message=message):
                warn(message)
            case _:
                pass

    def finish(self, succeeded: Sequence[str], failed: Sequence[str]) -> None:
        """Print what came of it all."""
        if succeeded:
            self._say(f"\nRan experiment(s): {', '.join(succeeded)}")
        if failed:
            warn(f"failed experiment(s): {', '.join(failed)}")

    def _end_output(self, event: StageEvent) -> None:
        if self._lines:
            self._lines.end(_whose(event))

    def _tell(self, event: StageEvent, text: str) -> None:
        self._say(f"{event.experiment}: {text}")

    def _say(self, line: str) -> None:
        if not self._quiet:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def _whose(event: StageEvent) -> str:
    return f"{event.experiment}:{event.stage}"
