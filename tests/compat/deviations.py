"""Where exprun's result is meant to differ from DVC's, and how.

The README lists the reasons; every rule is applied to DVC's record, giving what exprun owes.
Parts a case may exempt by name: `lines` (the progress lines), `lines order`, `experiments`,
`files`, `cache`, `run_cache`, `index`, `status`, `dvc says`, `exit`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.compat.differences import differences
from tests.support.project import Dvc, Experiment, Git, Reproduce, Write

if TYPE_CHECKING:
    from tests.compat.case import Case

Record = dict[str, Any]

# The name of all generated cases.
GENERATED = "generated"


def disagreement(case: Case, *, dvc: Record, exprun: Record) -> str:
    """How exprun's record of `case` differs from what it owes after DVC's; empty if it does not."""
    owed, found = comparable(owed_by_exprun(dvc, case), case), comparable(exprun, case)
    if case.name == GENERATED:
        _keep_outputs(owed, found, case)
        if _selects_few(case):
            if any(step["exit"] == "failure" for step in owed["steps"]):
                # Which of them come before the one that fails depends on a hash, too.
                owed, found = _exits(owed), _exits(found)
                return differences(owed, found, names=("dvc", "exprun"))
            _forget_order(owed)
            _forget_order(found)
    return differences(owed, found, names=("dvc", "exprun"))


def comparable(record: Record, case: Case) -> Record:
    """`record` without what nobody compares and what `case` exempts."""
    result = copy.deepcopy(record)
    for step in result["steps"]:
        del step["errors"]
        # DVC says 255 to everything; which code exprun owes is a matter of the bad-input tests.
        step["exit"] = "success" if step["exit"] == 0 else "failure"
        _exempt(step, case, "lines", "exit")
        if "lines order" in case.differs:
            step["lines"] = sorted(step["lines"])
    _exempt(result["end"], case, "experiments", "files", "cache", "run_cache", "index", "status")
    _exempt(result, case, "dvc says")
    for experiment in result["end"].get("experiments", {}).values():
        # What follows DVC's own message is a free trailer (the attempt's id).
        experiment["message"] = experiment["message"].split("\n\nExprun-")[0]
    return result


def owed_by_exprun(record: Record, case: Case) -> Record:
    """DVC's `record` of `case`, changed where exprun differs on purpose."""
    result = copy.deepcopy(record)
    if any(isinstance(step, Experiment) for step in case.steps):
        _keep_index(result, case)
    return result


def _keep_index(record: Record, case: Case) -> None:
    """`dvc exp run` un-stages what the user had staged; exprun leaves the index alone."""
    if any(isinstance(step, Git) for step in case.steps):
        return
    record["end"]["index"] = record["start"]["index"]


def _keep_outputs(owed: Record, found: Record, case: Case) -> None:
    """Outputs of stages that did not start: DVC may have removed them, exprun keeps them.

    Only of generated pipelines, whose outputs are called `<stage>_<kind>`, and only if the run
    failed. What Git and DVC say of files that are there in one place only cannot be compared.
    """
    last = found["steps"][-1]
    if last["exit"] != "failure":
        return
    files, kept = owed["end"]["files"], found["end"]["files"]
    started = {line.split("'")[1] for line in last["lines"] if line.startswith("Running stage")}
    # A file that was not there at the start, and is gone again, is not in DVC's record.
    is_new = not any(isinstance(a, Dvc) and a.args[0] == "repro" for a in case.start)
    by_hand = {step.path for step in case.steps if is_new and isinstance(step, Write)}
    lost = {
        path
        for path in files.keys() | (kept.keys() & by_hand)
        if files.get(path) is None and kept.get(path, "as it was") is not None
    }
    lost = {path for path in lost if _stage_of(path) not in started}
    for path in lost:
        files.pop(path, None)
        kept.pop(path, None)
    if lost:
        for record in (owed, found):
            del record["end"]["status"], record["dvc says"]


def _stage_of(path: str) -> str:
    """The stage that makes `path`: `w/s0_d-a/f` is made by `s0@a`."""
    part = next((part for part in path.split("/") if "_" in part), "")
    _, dash, key = part.partition("-")
    return part.partition("_")[0] + (f"@{key}" if dash else "")


def _exits(record: Record) -> Record:
    return {
        "steps": [{name: step[name] for name in ("command", "exit")} for step in record["steps"]]
    }


def _forget_order(record: Record) -> None:
    """DVC's order of stages depends on a hash when few are selected (deviation 6)."""
    for step in record["steps"]:
        step["lines"] = sorted(step["lines"])
    for path, file in record["end"]["files"].items():
        if path.endswith(("dvc.lock", ".gitignore")) and isinstance((file or {}).get("text"), list):
            file["text"] = sorted(file["text"])
    for experiment in record["end"]["experiments"].values():
        if experiment is not None:
            del experiment["tree"]
            experiment["changes"] = sorted(experiment["changes"])


def _selects_few(case: Case) -> bool:
    return any(
        isinstance(step, Experiment | Reproduce) and step.args and step.args[-1][0] in "sdr"
        for step in case.steps
    )


def _exempt(part: Record, case: Case, *names: str) -> None:
    for name in names:
        if name in case.differs:
            part.pop(name, None)
