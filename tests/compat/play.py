"""Plays a case with a tool and writes down all that can be seen of the result."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.lines import known_lines
from tests.support.project import Experiment, Reproduce, perform
from tests.support.snapshot import take_snapshot

if TYPE_CHECKING:
    from tests.compat.case import Case
    from tests.support.environment import Place
    from tests.support.forkserver import Finished
    from tests.support.project import Builder
    from tests.support.tools import Runs

Record = dict[str, Any]

# An experiment's temporary directory, and enough lines to see what went wrong.
_TEMPORARY = re.compile(r"<place>/repo/(?:\S*/)?\.dvc/tmp/exps/standalone/\w+")
_ERROR_LINES = 6

# Steps are dated after every commit a start can have.
_FIRST_STEP = 1000


def play(case: Case, *, tool: Runs, dvc: Runs, builder: Builder) -> Record:
    """The record of `case` played by `tool` in a fresh project, which is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=builder.directory) as directory:
        place = builder.build(case.start, into=Path(directory) / "place")
        return play_at(place, case, tool=tool, dvc=dvc)


def play_at(place: Place, case: Case, *, tool: Runs, dvc: Runs) -> Record:
    """The record of `case` played by `tool` in the project at `place`."""
    before = take_snapshot(place)
    steps = []
    for number, action in enumerate(case.steps, _FIRST_STEP):
        finished = perform(action, place, tool=tool, dvc_tool=dvc, at=number)
        if finished is not None:
            assert isinstance(action, Experiment | Reproduce)
            steps.append(_step(action, finished, place))
    end = take_snapshot(place).since(before)
    record = {
        "case": case.name,
        "steps": steps,
        "start": {"index": before.index},
        "end": end,
        "dvc says": _dvc_says(place, dvc, cwd=getattr(case.steps[-1], "cwd", ".")),
    }
    return _with_names_hidden(record, case)


def _step(action: Experiment | Reproduce, finished: Finished, place: Place) -> Record:
    verb = "exp run" if isinstance(action, Experiment) else "repro"
    told = [line for line in finished.stderr.splitlines() if not line.startswith("WARNING")]
    errors = [
        _TEMPORARY.sub("<temp>", place.normalised(line.rstrip())) for line in told if line.strip()
    ]
    return {
        "command": " ".join((verb, *action.args)),
        "exit": finished.code,
        "lines": known_lines(finished.stdout),
        "errors": errors[:_ERROR_LINES] if finished.code else [],
    }


def _dvc_says(place: Place, dvc: Runs, *, cwd: str) -> Record:
    """What `dvc status` and `dvc exp show` make of the result."""
    said: Record = {}
    for name, args in (("status", ("status",)), ("show", ("exp", "show"))):
        finished = dvc.run((*args, "--json"), place=place, cwd=cwd)
        if finished.code != 0:
            said[name] = {"exit": finished.code}
        elif name == "status":
            said[name] = json.loads(place.normalised(finished.stdout))
        else:
            said[name] = _essence(json.loads(place.normalised(finished.stdout)))
    return said


def _essence(states: list[Record]) -> Record:
    """The table's rows without commit hashes and times; the baselines are the start's own."""
    rows: Record = {"workspace": _row(states[0])}
    for baseline in states[1:]:
        for experiment in baseline["experiments"] or ():
            executor = experiment["executor"]
            rows[experiment["name"]] = _row(experiment["revs"][0]) | {
                "state": executor and executor["state"],
                "commits": len(experiment["revs"]),
            }
    return rows


def _row(state: Record) -> Record:
    data = state["data"] or {}
    row: Record = {"error": state["error"] and state["error"]["type"]}
    for part in ("params", "metrics"):
        row[part] = data.get(part)
    for part in ("deps", "outs"):
        row[part] = {path: entry["hash"] for path, entry in (data.get(part) or {}).items()}
    return {key: value for key, value in row.items() if value}


def _with_names_hidden(record: Record, case: Case) -> Record:
    """Generated names differ from run to run: those not given in a command become `<name>`."""
    given = {word for step in case.steps for word in getattr(step, "args", ())}
    text = json.dumps(record)
    for key in record["end"]["experiments"]:
        name = key.split(" of ")[0]
        if name not in given:
            text = text.replace(name, "<name>")
    hidden: Record = json.loads(text)
    return hidden
