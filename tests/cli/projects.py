"""The project most tests start from: several files, groups, data, and kinds of stage."""

from __future__ import annotations

from tests.compat.case import flat
from tests.support.project import commit, dvc, git, init_dvc, write

PROJECT = flat(
    git("init", "--quiet", "-b", "main"),
    init_dvc(),
    write("params.yaml", "lr: 0.1\nmodel:\n  depth: 2\nunused: 1\n"),
    write("whole.json", '{"a": 1, "b": {"c": 2}}\n'),
    write("raw.txt", "raw\n"),
    dvc("add", "--quiet", "raw.txt"),
    write("in dir/a", "a\n"),
    write("in dir/b", "b\n"),
    write("same.txt", "same\n"),
    write(
        "dvc.yaml",
        """\
        stages:
          prepare:
            cmd: cat raw.txt 'in dir/a' > clean.txt
            deps: [raw.txt, in dir]
            outs: [clean.txt]
          train:
            foreach: [cnn, xgb]
            do:
              cmd:
              - cp clean.txt ${item}.bin
              - echo ${lr} > ${item}.json
              deps: [clean.txt]
              params: [lr, model.depth, {whole.json: }]
              outs: ["${item}.bin"]
              metrics:
              - ${item}.json: {cache: false}
          cold:
            cmd: cp same.txt cold.txt
            deps: [same.txt]
            outs: [cold.txt]
            frozen: true
          clock:
            cmd: echo tick
            always_changed: true
        """,
    ),
    write(
        "sub/dvc.yaml",
        """\
        stages:
          report:
            cmd: cp ../cnn.bin report.txt
            deps: [../cnn.bin]
            outs:
            - report.txt:
                persist: true
        """,
    ),
    commit(),
    write("cold.txt", "same\n"),
    dvc("repro", "-P"),
    commit(),
)
