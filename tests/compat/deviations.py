"""Where exprun's result is meant to differ from DVC's, and how.

The README lists the reasons; every rule is applied to DVC's record, giving what exprun owes.
Parts a case may exempt by name: `lines` (the progress lines), `lines order`, `experiments`,
`files`, `cache`, `run_cache`, `index`, `status`, `dvc says`, `exit`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.support.project import Experiment, Git

if TYPE_CHECKING:
    from tests.compat.case import Case

Record = dict[str, Any]


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


def _exempt(part: Record, case: Case, *names: str) -> None:
    for name in names:
        if name in case.differs:
            part.pop(name, None)
