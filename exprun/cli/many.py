"""Events of several experiments as plain lines, each telling whose it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio

from exprun import events
from exprun.cli.messages import warn
from exprun.model.experiment import StageResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from exprun.events import StageEvent

LONGEST_LINE = 1 << 14


class ManyOutput:
    """Prints what happens as it happens, prefixed with the experiment, and output with the stage.

    Of a line that a progress bar has drawn over and over, the last state is printed. A line of more
    than `LONGEST_LINE` bytes is broken. The logs have every byte.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._partial: dict[str, bytes] = {}

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
                self._add_output(event, data)
            case events.StageRetrying(stage=stage, delay_s=delay_s):
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

    def _tell(self, event: StageEvent, text: str) -> None:
        self._say(f"{event.experiment}: {text}")

    def _add_output(self, event: StageEvent, data: bytes) -> None:
        if self._quiet:
            return
        prefix = f"{event.experiment}:{event.stage}"
        rest = self._partial.get(prefix, b"")
        end = data.rfind(b"\n")
        if end >= 0:
            self._show_lines(prefix, rest, data[:end])
            rest = b""
        rest += data[end + 1 :]
        while len(rest) > LONGEST_LINE:
            self._show_lines(prefix, rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._partial[prefix] = rest

    def _end_output(self, event: StageEvent) -> None:
        prefix = f"{event.experiment}:{event.stage}"
        rest = self._partial.pop(prefix, b"")
        if rest:
            self._show_lines(prefix, rest)

    def _show_lines(self, prefix: str, begin: bytes, lines: bytes = b"") -> None:
        """Print `begin` and `lines` as a terminal would show them in the end, whatever they are.

        All in one go, and copied as seldom as can be: a stage may print faster than each line could
        be looked at.
        """
        mark = f"{prefix} | "
        is_plain = lines.isascii() and begin.isascii() and mark.isascii()
        if not is_plain or b"\r" in begin or b"\r" in lines:
            self._say(_marked(mark, begin + lines))
            return
        out = sys.stdout.buffer
        out.write(mark.encode() + begin)
        out.write(lines.replace(b"\n", f"\n{mark}".encode()))
        out.write(b"\n")
        out.flush()

    def _say(self, line: str) -> None:
        if not self._quiet:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def _marked(mark: str, lines: bytes) -> str:
    """Lines with all that they were drawn over with left out, and `mark` before each."""
    drawn = (line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines.split(b"\n"))
    text = b"\n".join(drawn).decode("utf-8", "replace")
    return mark + text.replace("\n", f"\n{mark}")
