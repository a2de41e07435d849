"""Showing what is larger than the terminal in a pager, as DVC does."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_SUCH_COMMAND = 127


def page(text: str, env: Mapping[str, str]) -> None:
    """Show `text` in the pager of `env`, by default less; without one, print it."""
    data = text.encode(sys.stdout.encoding, "backslashreplace")
    sys.stdout.flush()
    try:
        pager = subprocess.Popen(_command(env), stdin=subprocess.PIPE)
    except FileNotFoundError:
        sys.stdout.write(text)
        return
    # Ctrl-C is the pager's business, which it would not survive us for. Not ignored, as the pager
    # would inherit that.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with suppress(BrokenPipeError):
            pager.communicate(data)
        code = pager.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if code == _NO_SUCH_COMMAND:
        sys.stdout.write(text)


def _command(env: Mapping[str, str]) -> list[str]:
    """Less with lines that go beyond the edge, and printing what fits; or what the user wants."""
    wanted = env.get("DVC_PAGER") or env.get("PAGER") or "less"
    if wanted != "less":
        return ["sh", "-c", wanted]
    return ["less", "-RS"] if env.get("LESS") else ["less", "-FRSX"]
