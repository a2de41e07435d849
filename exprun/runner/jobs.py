"""What an executor is asked to do for a stage: its commands, their environment, and the log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.executors.logs import log_path
from exprun.executors.shell import build_commands, build_env
from exprun.model.job import JobSpec
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from exprun.model.job import Command
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.bus import Audience
    from exprun.runner.exclusion import Exclusion
    from exprun.runner.needs import Requirements


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """How the commands of a plan are run. `env` is the caller's environment."""

    env: Mapping[str, str]
    exclusion: Exclusion
    make_way: Callable[[], Awaitable[None]]
    fish_version: str | None = None
    project_root: str
    cwd: Location
    log_dir: str
    experiment: tuple[str, str] | None = None
    foreground: bool = False
    shows_output: bool = False
    audience: Audience | None = None
    grace_s: float = 10.0


def build_job(
    stage: Stage,
    required: Requirements,
    settings: JobSettings,
    *,
    address: str,
    cwd: str,
    log: str,
    gpus: tuple[str, ...],
) -> JobSpec:
    """The job that runs `stage` once, in the absolute directory `cwd`, on these GPUs."""
    return JobSpec(
        mark=os.urandom(16).hex(),
        stage=address,
        commands=commands_of(stage, settings),
        cwd=cwd,
        env=build_env(
            settings.env,
            root=settings.project_root,
            stage=address,
            experiment=settings.experiment,
            extra={"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else None,
        ),
        log=log,
        grace_s=settings.grace_s,
        timeout_s=required.timeout_s,
        foreground=settings.foreground,
        allow_daemons=required.allow_daemons,
    )


def commands_of(stage: Stage, settings: JobSettings) -> tuple[Command, ...]:
    """The commands of `stage`, each for the shell that DVC would give it to."""
    return build_commands(
        stage.cmd, shell=settings.env.get("SHELL"), fish_version=settings.fish_version
    )


def exclusive_names(required: Requirements, gpus: tuple[str, ...]) -> list[str]:
    """What no stage of any process may use while a stage runs."""
    return [f"mutex '{name}'" for name in required.needs.mutexes] + [f"GPU '{id}'" for id in gpus]


def log_of(address: str, attempt: int, settings: JobSettings) -> str:
    """Where the output of a try goes: each has a log of its own."""
    # No stage can be called like another's later try.
    name = address if attempt == 1 else f"{address}.attempt-{attempt}"
    return log_path(settings.log_dir, name)
