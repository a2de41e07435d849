from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from exprun.model.experiment import ExperimentSpec
from exprun.runner.opening import Opened, open_project
from exprun.runner.queueing import Queued, queue_experiments
from exprun.runner.queues import open_queue
from tests.git.conftest import git_env
from tests.git.project import GitProject

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.queue.attempts import Attempt, Orchestrator
    from exprun.queue.queue import Queue

__all__ = ["git_env"]

REFS = "refs/exprun/queue/"


@dataclass(frozen=True)
class DvcProject(GitProject):
    """A small DVC project with a parameter file, a stage, and data that is not committed yet."""

    def opened(self) -> Opened:
        def refuse(message: str) -> None:
            raise AssertionError(message)

        return open_project(str(self.root), env=self.env, warn=refuse)

    def queue(self) -> Queue:
        return open_queue(self.opened())

    def enqueue(self, *set_params: str, name: str | None = None) -> list[Queued]:
        spec = ExperimentSpec(name=name, set_params=set_params)
        return list(queue_experiments(self.opened(), spec))


def claim_next(queue: Queue, orchestrator: Orchestrator) -> Attempt | None:
    """Start an attempt of the first experiment that waits; None if none does."""
    claimed = (orchestrator.claim(entry.id) for entry in queue.unfinished())
    return next(filter(None, claimed), None)


@pytest.fixture
def project(tmp_path: Path, git_env: dict[str, str]) -> DvcProject:
    root = tmp_path / "project"
    root.mkdir()
    scripts = os.path.dirname(sys.executable)
    cache = {"DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "DVC_NO_ANALYTICS": "1"}
    env = git_env | cache | {"PATH": f"{scripts}:{git_env['PATH']}"}
    made = DvcProject(root, env)
    made.git("init", "-q")
    made.write(".dvc/config", "")
    made.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    made.write("params.yaml", "lr: 0.1\nseed: 1\nmodel:\n  name: small  # of three\n")
    made.write(
        "dvc.yaml",
        "stages:\n  train:\n    cmd: cat code.py > out.txt\n    deps:\n    - code.py\n"
        "    params:\n    - lr\n    outs:\n    - out.txt\n",
    )
    made.write("code.py", "one\n")
    made.write(".gitignore", "/out.txt\n/secret.env\n/data.bin\n")
    made.commit_all()
    return made
