"""Command forms, working directories and what commands see."""

from __future__ import annotations

from tests.compat.case import case
from tests.support.project import commit, run, write

CASES = (
    case(
        "cmd-string",
        write("params.yaml", "lr: 0.1\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              train:
                cmd: cp params.yaml model && echo '{"acc":1}' > metrics.json
                params: [lr]
                outs: [model]
                metrics:
                - metrics.json:
                    cache: false
            """,
        ),
        commit(),
        steps=run("-n", "one", "-S", "lr=0.2"),
    ),
)
