"""Small projects that many cases start from."""

from __future__ import annotations

from tests.compat.case import flat
from tests.support.project import commit, dvc, write

# One stage with a parameter, a cached output and an uncached metric.
TRAIN = flat(
    write("params.yaml", "lr: 0.1\nepochs: 3\n"),
    write("code.py", "print('train')\n"),
    write(
        "dvc.yaml",
        """\
        stages:
          train:
            cmd: cat params.yaml code.py > model.bin; echo '{"acc":0.5}' > metrics.json
            deps: [code.py]
            params: [lr]
            outs: [model.bin]
            metrics:
            - metrics.json:
                cache: false
        """,
    ),
    commit("train"),
)
TRAINED = flat(TRAIN, dvc("repro"), commit("trained"))

# prepare -> train -> evaluate, a directory output in the middle, and `lone` beside them.
CHAIN = flat(
    write("params.yaml", "lr: 0.1\nsplit: 2\n"),
    write("data.txt", "one\ntwo\nthree\nfour\n"),
    write(
        "dvc.yaml",
        """\
        stages:
          prepare:
            cmd: mkdir -p prepared && head -2 data.txt > prepared/a && tail -2 data.txt > prepared/b
            deps: [data.txt]
            params: [split]
            outs: [prepared]
          train:
            cmd: cat prepared/a prepared/b > model && grep lr params.yaml >> model
            deps: [prepared]
            params: [lr]
            outs: [model]
          evaluate:
            cmd: wc -c < model > score.txt && echo '{"n":1}' > metrics.json
            deps: [model]
            outs: [score.txt]
            metrics:
            - metrics.json:
                cache: false
          lone:
            cmd: echo lone > lone.txt
            outs: [lone.txt]
        """,
    ),
    commit("chain"),
)
CHAINED = flat(CHAIN, dvc("repro"), commit("chained"))
