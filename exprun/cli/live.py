"""Several experiments on a terminal: what is done scrolls by, what runs stands below it.

rich draws it, which is slow to import, so this module is imported only when there is a terminal.
"""

from __future__ import annotations

import re
import shlex
import sys
import time
from typing import TYPE_CHECKING

import anyio
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from exprun import events
from exprun.model.experiment import StageResult
from exprun.model.patterns import pattern
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

_PERIOD_S = 0.25
_LONGEST_LINE = 400
_ESCAPES = pattern(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


class _Screen(Console):
    """A terminal whose cursor stays: then not even SIGKILL leaves one without it."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


@dataclass(slots=True)
class _Running:
    """A stage that runs, and the end of what it wrote."""

    experiment: str
    stage: str
    since: float
    tail: bytes = b""
    note: str = ""


@dataclass(slots=True)
class _Counts:
    total: int
    done: int = 0
    failed: int = 0
    stopped: int = 0

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.stopped


class LiveOutput:
    """Shows running stages with their last line, how many experiments are left, and for how long.

    To be entered; leaving it takes the live part away and leaves the terminal as it was.
    """

    lends_stdout = False

    def __init__(self, *, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._counts = _Counts(total)
        self._clock = clock
        self._began = clock()
        self._running: dict[tuple[str | None, str], _Running] = {}
        self._console = _Screen(highlight=False, soft_wrap=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            get_renderable=self.render,
            redirect_stdout=False,
            redirect_stderr=sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    async def keep_fresh(self) -> None:
        """Draw again from time to time, until cancelled or until there is no terminal any more."""
        try:
            while True:
                await anyio.sleep(_PERIOD_S)
                self._live.refresh()
        except OSError:
            # Whoever closed the terminal also sent SIGHUP, and that is what ends the session.
            await anyio.sleep_forever()

    def show(self, event: events.Event) -> None:
        """Take note of what happened; ends are printed at once, the rest is drawn soon."""
        match event:
            case events.ExperimentQueued():
                self._counts.total += 1
            case events.ExperimentFinished():
                self._end_experiment(event)
            case events.StageStarted(experiment=name, stage=stage):
                self._running[name, stage] = _Running(name or "", stage, self._clock())
            case events.StageOutput(data=data):
                self._add_output(event, data)
            case events.StageStopping(reason=reason):
                self._note(event, f"stopping: {reason.name.lower().replace('_', ' ')}")
            case events.StageDeferred(experiment=name, stage=stage, message=message):
                self._running.pop((name, stage), None)
                text = f"WARNING: {name}: '{stage}' waits until there is room: {message}"
                self._say(text, "yellow")
            case events.StageRetrying(delay_s=delay_s):
                self._say(f"{event.experiment}: '{event.stage}' is tried again in {delay_s:g} s")
            case events.StageFinished():
                self._end_stage(event)
            case events.WarningRaised(message=message):
                self._say(f"WARNING: {message}", "yellow")
            case _:
                pass

    def finish(self, succeeded: Sequence[str], failed: Sequence[str]) -> None:
        """Print what came of it all; the live part is gone then."""
        self._live.stop()
        if succeeded:
            self._say(f"\nRan experiment(s): {', '.join(succeeded)}")
        if failed:
            self._say(f"\nFailed experiment(s): {', '.join(failed)}", "red")
            self._say(f"What they wrote: exprun logs {shlex.quote(failed[0])}")

    def render(self) -> Group:
        """What stands below the lines that scroll."""
        room = max(1, self._console.height - 3)
        running = list(self._running.values())
        lines = self._lines(running[:room])
        if len(running) > room:
            lines.append(Text(f"… and {len(running) - room} more", style="dim"))
        lines.append(Text(self.summary(), style="bold"))
        for line in lines:
            line.truncate(self._console.width - 1, overflow="ellipsis")
        return Group(*lines)

    def _lines(self, running: Sequence[_Running]) -> list[Text]:
        """One for each stage, in columns, and no longer than what it shows.

        A terminal that gets narrower breaks what is longer in two, and does not tell: the rest then
        stays on the screen.
        """
        cells = [
            (stage.experiment, stage.stage, _duration(self._clock() - stage.since))
            for stage in running
        ]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        return [
            Text.assemble(
                (set_cell_size(experiment, widths[0]), "bold"),
                f"  {set_cell_size(name, widths[1])}  {took:>{widths[2]}}  ",
                (stage.note or last_line(stage.tail), "dim"),
            )
            for stage, (experiment, name, took) in zip(running, cells, strict=True)
        ]

    def summary(self) -> str:
        """How far everything is, in one line."""
        counts = self._counts
        running = len({experiment for experiment, _ in self._running})
        left = max(0, counts.total - counts.ended - running)
        parts = [f"{running} running", f"{counts.done} done"]
        if counts.failed:
            parts.append(f"{counts.failed} failed")
        if counts.stopped:
            parts.append(f"{counts.stopped} stopped")
        elapsed = self._clock() - self._began
        parts += [f"{left} left", _duration(elapsed)]
        if counts.ended and (left or running):
            # At the pace so far; what runs is half done on average.
            parts.append(f"ETA {_duration(elapsed / counts.ended * (left + running / 2))}")
        return " · ".join(parts)

    def _end_experiment(self, event: events.ExperimentFinished) -> None:
        for key in [key for key in self._running if key[0] == event.experiment]:
            del self._running[key]
        if event.rev is not None:
            self._counts.done += 1
            self._say(f"Ran experiment '{event.experiment}'", "green")
        elif event.reason in (events.INTERRUPTED, events.NOT_BEGUN):
            self._counts.stopped += 1
            how = "stopped" if event.reason == events.INTERRUPTED else event.reason
            self._say(f"Experiment '{event.experiment}' is {how}", "yellow")
        else:
            self._counts.failed += 1
            self._say(f"Experiment '{event.experiment}': {event.reason}", "red")

    def _end_stage(self, event: events.StageFinished) -> None:
        ended = self._running.pop((event.experiment, event.stage), None)
        if event.result is StageResult.FAILED and ended is not None:
            last = last_line(ended.tail)
            if last:
                self._say(f"{event.experiment}:{event.stage} | {last}", "dim")

    def _add_output(self, event: events.StageOutput, data: bytes) -> None:
        running = self._running.get((event.experiment, event.stage))
        if running is not None:
            running.tail = (running.tail + data[-_LONGEST_LINE:])[-_LONGEST_LINE:]

    def _note(self, event: events.StageEvent, text: str) -> None:
        running = self._running.get((event.experiment, event.stage))
        if running is not None:
            running.note = text

    def _say(self, line: str, style: str = "") -> None:
        self._console.print(Text(line, style=style), soft_wrap=True)


def last_line(tail: bytes) -> str:
    """The last line that is not empty at the end of some output, fit to be shown."""
    for line in reversed(re.split(rb"[\r\n]+", _ESCAPES.sub(b"", tail))):
        text = "".join(char for char in line.decode("utf-8", "replace") if char.isprintable())
        if text.strip():
            return text.strip()
    return ""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}"
