"""The lines of a run's plain output that both tools print, in their order."""

from __future__ import annotations

import re

_NAME = r"'[^']*'"
_KNOWN = re.compile(
    "|".join(
        (
            rf"Running stage {_NAME}:",
            rf"Stage {_NAME} didn't change, skipping",
            rf"{_NAME} didn't change, skipping",
            rf"Stage {_NAME} is cached - skipping run, checking out outputs",
            rf"Verifying (outputs in frozen stage|data sources in stage): {_NAME}",
            rf"Reproducing experiment {_NAME}",
            r"Ran experiment\(s\): .*",
        )
    )
)


def known_lines(stdout: str) -> list[str]:
    """Those lines of `stdout` that tell which stages ran, in order.

    The closing line loses its name: when two equal experiments of one second share a commit, DVC
    may print either's.
    """
    known = [line for line in stdout.splitlines() if _KNOWN.fullmatch(line)]
    return [re.sub(r"^(Ran experiment\(s\):).*", r"\1", line) for line in known]
