"""Logs of stages that are shown while they grow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from exprun.cli.logs import Logs

if TYPE_CHECKING:
    from pathlib import Path


def test_progress_bars_drawn_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    now = [10.0]
    out = io.BytesIO()
    logs = Logs(out, clock=lambda: now[0])
    a, b = tmp_path / "a.log", tmp_path / "b.log"

    def shown(is_final: bool = False) -> bytes:
        out.seek(0)
        out.truncate()
        logs.show(str(tmp_path), is_final=is_final)
        return out.getvalue()

    def append(path: Path, text: str) -> None:
        with path.open("a") as file:
            file.write(text)

    append(a, "0%")
    assert shown() == b"==> a <==\n0%"
    append(b, "0%")
    assert shown() == b"\n==> b <==\n0%"
    append(a, "\r1%")
    append(b, "\r1%")
    now[0] += 2.0
    assert b"==> " in shown()
    for step in ("\r2%", "\r3%"):
        append(a, step)
        append(b, step)
        assert shown().count(b"==>") == 0
    append(a, "\ndone\n")
    append(b, "\ndone\n")
    assert shown().count(b"done") == 2
    append(a, "the end")
    append(b, "the end")
    assert shown(is_final=True).count(b"the end") == 2
