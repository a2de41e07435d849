"""``exprun demo``: make a small example project and run experiments in it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from exprun import events
from exprun.cli import exits
from exprun.cli.demo_project import make_demo_project
from exprun.cli.messages import warn
from exprun.cli.parsing import Parser, refuse_on_windows
from exprun.cli.running import run_session
from exprun.formats.documents import load_params
from exprun.model.experiment import ExperimentSpec, StageResult
from exprun.runner.opening import open_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.runner.session import Session

_EXPERIMENTS = {
    "baseline": (),
    "slow": ("train.lr=0.001",),
    "fast": ("train.lr=0.5",),
    "plain": ("train.lr=0.5", "train.l2=0"),
}
_SETTINGS = Namespace(
    jobs=1, resources=None, grace=10.0, quiet=True, verbose=0, log_json=None, events=None
)

Row = tuple[str, dict[str, object], dict[str, object]]
"""An experiment's name, its parameters and its metrics."""


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Make the demo, run its experiments, and show what came out."""
    refuse_on_windows()
    namespace = _parser().parse_args(arguments)
    root = os.path.abspath(os.path.join(cwd, namespace.directory))
    env = _environment()
    make_demo_project(root, env=env)
    sys.stdout.write(f"Made a Git repository with a DVC pipeline in {root}\n")
    rows: list[Row] = []
    for name, changes in _EXPERIMENTS.items():
        code = _run(root, env, name, changes)
        if code != exits.OK:
            return code
        rows.append((name, _read(root, "params.yaml"), _read(root, "metrics.json")))
    _show_table(rows)
    _say_what_next(os.path.relpath(root, cwd))
    return exits.OK


def _parser() -> Parser:
    parser = Parser("demo", "Make a small example project and run experiments in it.")
    parser.add_argument(
        "directory",
        nargs="?",
        default="exprun-demo",
        metavar="DIRECTORY",
        help="where; must not exist, or be empty (default: exprun-demo)",
    )
    return parser


def _environment() -> dict[str, str]:
    """Ours, with this Python as the first ``python3`` that the stages find."""
    here = os.path.dirname(sys.executable)
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": f"{here}{os.pathsep}{path}"}


def _run(root: str, env: dict[str, str], name: str, changes: Sequence[str]) -> int:
    words = ["exprun", "run", "-n", name, *(word for change in changes for word in ("-S", change))]
    sys.stdout.write(f"\n$ {shlex.join(words)}\n")
    spec = ExperimentSpec(name=name, set_params=tuple(changes))
    opened = open_project(root, env=env, warn=warn)

    async def work(session: Session) -> int:
        from exprun.runner.experiment import run_experiment

        await run_experiment(session, spec)
        return exits.OK

    return run_session(opened, _SETTINGS, spec.options, work, show=_show)


def _show(event: events.Event) -> None:
    match event:
        case events.StageSkipped(stage=stage):
            _tell(stage, "unchanged, skipped")
        case events.StageRestored(stage=stage):
            _tell(stage, "taken from the cache")
        case events.StageFinished(stage=stage, result=StageResult.SUCCEEDED, duration_s=duration):
            _tell(stage, f"ran in {duration:.1f} s")
        case events.WarningRaised(message=message):
            warn(message)
        case _:
            pass


def _tell(stage: str, what: str) -> None:
    sys.stdout.write(f"  {stage:<9} {what}\n")
    sys.stdout.flush()


def _read(root: str, name: str) -> dict[str, object]:
    with open(os.path.join(root, name), "rb") as file:
        return load_params(file.read(), name=name)


def _show_table(rows: Sequence[Row]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("experiment")
    flat = [(name, _flat(params), metrics) for name, params, metrics in rows]
    _, params, metrics = flat[0]
    varied = [key for key in params if len({str(row[1][key]) for row in flat}) > 1]
    for title in (*varied, *metrics):
        table.add_column(title, justify="right")
    for name, params, metrics in flat:
        values = [params[key] for key in varied] + list(metrics.values())
        table.add_row(name, *map(json.dumps, values))
    Console(file=sys.stdout, highlight=False).print(table)


def _flat(params: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in params.items():
        flat |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat


def _say_what_next(directory: str) -> None:
    sys.stdout.write(
        "Each experiment is a Git commit with its parameters, metrics and dvc.lock. Now try:\n\n"
        f"  cd {shlex.quote(directory)}\n"
        "  exprun run -S train.lr=0.2 -S train.epochs=80\n"
        "  exprun status\n"
        "  git for-each-ref refs/exps\n"
    )
