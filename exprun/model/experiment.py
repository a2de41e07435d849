"""What a user asks for: which stages to reproduce, how, and as which experiment."""

from __future__ import annotations

from enum import Enum

from exprun.errors import ExperimentFailed
from exprun.model.paths import ROOT, Location
from exprun.model.values import dataclass, field


class OnError(Enum):
    """What happens to the rest of the plan when a stage fails."""

    FAIL = "fail"
    KEEP_GOING = "keep-going"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which stages: the targets as typed, seen from `cwd`, and how far the selection reaches."""

    targets: tuple[str, ...] = ()
    cwd: Location = ROOT
    single_item: bool = False
    pipeline: bool = False
    all_pipelines: bool = False
    recursive: bool = False
    downstream: bool = False
    glob: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproOptions:
    """How the selected stages are brought up to date."""

    selection: Selection = field(default_factory=Selection)
    force: bool = False
    force_downstream: bool = False
    pull: bool = False
    allow_missing: bool = False
    dry: bool = False
    interactive: bool = False
    on_error: OnError = OnError.FAIL
    run_cache: bool = True
    commit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentSpec:
    """One experiment to run.

    `set_params` are Hydra overrides as after ``-S``, `params` the ``[file:]key=value,…`` groups as
    after ``--params``. An `isolated` experiment runs in a directory of its own, to which
    `copy_paths` are copied; else it runs in the user's workspace. What is queued, and
    what a `Runner` runs, is isolated in any case.
    """

    name: str | None = None
    set_params: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    message: str | None = None
    isolated: bool = False
    copy_paths: tuple[str, ...] = ()
    hydra: bool = True
    options: ReproOptions = field(default_factory=ReproOptions)


class StageResult(Enum):
    """How a stage of a plan ended."""

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentResult:
    """How an experiment ended: with the commit `rev`, which `ref` holds, or `reason` says why not.

    `stages` has the fate of each stage by its address; there is none if it did not run here.
    `log_dir` holds the logs of its last attempt; None if there was none.
    """

    name: str
    baseline: str
    rev: str | None = None
    ref: str | None = None
    reason: str | None = None
    stages: dict[str, StageResult] = field(default_factory=dict)
    log_dir: str | None = None

    @property
    def succeeded(self) -> bool:
        return self.rev is not None

    def raise_for_outcome(self) -> None:
        """Raise ExperimentFailed, with the reason, unless the experiment succeeded."""
        if not self.succeeded:
            hint = f"logs: {self.log_dir}" if self.log_dir else None
            raise ExperimentFailed(f"experiment '{self.name}': {self.reason}", hint=hint)
