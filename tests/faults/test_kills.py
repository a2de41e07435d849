"""exprun killed at any moment: nothing lost, doubled or touched, and no repair is needed.

`EXPRUN_KILLS` says how often to kill it at random, over all tests of this directory (50 unless
set); with 1000 they take some twenty minutes.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.bench import Bench, kill_stages, make_bench
from tests.faults.test_crashes import KILLS
from tests.support.forkserver import TIMED_OUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tools import Tool

RUN_ALL_KILLS = KILLS * 3 // 5


@pytest.mark.timeout(60 + 5 * RUN_ALL_KILLS)
def test_run_all_killed_at_random_moments(tmp_path: Path, exprun: Tool) -> None:
    queued = make_bench(tmp_path, exprun, experiments=6)
    moments = random.Random(24)
    duration = _duration_of(queued.copy(tmp_path / "timed"))
    kills = campaign = 0
    while kills < RUN_ALL_KILLS:
        campaign += 1
        bench = queued.copy(tmp_path / f"campaign-{campaign}")
        done: set[str] = set()
        for _ in range(6):
            limit = moments.uniform(0.01, 0.7 * duration)
            ended = bench.run("run", "--run-all", "-j", "4", timeout_s=limit)
            assert ended.code in (0, TIMED_OUT), ended
            if ended.code == 0:
                break
            kills += 1
            if moments.random() < 0.3:
                kill_stages(bench.place)
            states = bench.require_promises()
            assert done <= bench.stored().keys(), "what was stored stays stored"
            done = set(bench.stored())
            assert set(states.values()) <= {"queued", "interrupted", "success"}, states
        bench.finish()


def _duration_of(bench: Bench) -> float:
    began = time.monotonic()
    bench.finish()
    return time.monotonic() - began
