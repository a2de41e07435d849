"""Projects with stored experiments, built by real DVC once per test process."""

from __future__ import annotations

from tests.support.project import commit, dvc, git, init_dvc, run, write

PIPELINE = """\
vars:
- vars.yaml
stages:
  prepare:
    cmd: mkdir -p data && cp in.txt data/a && echo ${extra} > data/b
    deps:
    - in.txt
    outs:
    - data
  train:
    cmd: cat data/a > model; python3 metrics.py; cp params.yaml log.csv
    deps:
    - data
    - metrics.py
    params:
    - lr
    - other.json:
      - x.y
      - l.1
    - conf.toml:
    - p.py:
      - LR
      - A.x
    outs:
    - model
    metrics:
    - cached.json
    - plain.json:
        cache: false
    plots:
    - log.csv
  each:
    foreach:
    - a
    - b
    do:
      cmd: echo ${item} > o_${item}
      deps:
      - model
      outs:
      - o_${item}
metrics:
- bad.json
- nothing.json
- number.json
- list.json
- many
params:
- bad.yaml
- gone.yaml
"""

METRICS = """\
import json
import re

lr = float(re.search("lr: (.*)", open("params.yaml").read())[1])
inner = {"empty": {}, "text": "good", "list": [1], "none": None}
cached = {"acc": lr / 3, "yes": True, "inner": inner, "nan": float("nan")}
json.dump(cached, open("cached.json", "w"))
json.dump({"loss": 1 - lr, "acc": 2}, open("plain.json", "w"))
"""

RICH = (
    git("init", "-q"),
    *init_dvc(),
    write("params.yaml", "lr: 0.25\nnested: {a: 1, b: [1, 2, {c: 3}]}\nnone: null\n"),
    write("other.json", '{"x": {"y": 1, "z": 2}, "l": [5, 6]}'),
    write("conf.toml", '[a]\nb = 1\nc = "x"\n'),
    write("p.py", "LR = 0.5\nB = 3\nclass A:\n    x = 3\n"),
    write("vars.yaml", "extra: 7\nunused: 8\n"),
    write("bad.yaml", "a: [1\n"),
    write("bad.json", "{"),
    write("number.json", "5"),
    write("list.json", "[1, 2]"),
    write("many/one.json", '{"q": 1}'),
    write("many/below/two.json", '{"q": 2}'),
    write("in.txt", "hi\n"),
    write("metrics.py", METRICS),
    write("dvc.yaml", PIPELINE),
    write("sub/dvc.yaml", "vars:\n- ../vars.yaml\nstages:\n  s:\n    cmd: echo ${unused}\n"),
    *commit("first"),
    write("sub/in.csv", "1\n"),
    dvc("add", "-q", "sub/in.csv"),
    dvc("repro"),
    *commit("second"),
    run("-q", "-n", "one", "-S", "lr=0.5"),
    git("tag", "-a", "-m", "tag", "v1"),
    write("code.py", "print()\n"),
    *commit("third"),
    run("-q", "-n", "two", "-S", "lr=0.75"),
    run("-q", "--temp", "-n", "three", "-S", "lr=1.0"),
)
"""Three commits, an experiment on the second and two on the third, and every kind of document."""

SMALL_PIPELINE = """\
stages:
  train:
    cmd: cat in.txt params.yaml > model; echo '{"acc":1}' > m.json; rm -f gone.txt; echo n > new.txt
    deps:
    - in.txt
    params:
    - lr
    outs:
    - model
    - new.txt:
        cache: false
    metrics:
    - m.json:
        cache: false
"""

SMALL = (
    git("init", "-q"),
    *init_dvc(),
    write("params.yaml", "lr: 1\n"),
    write("in.txt", "in\n"),
    write("kept.txt", "kept\n"),
    write("gone.txt", "the stage removes this\n"),
    write("dir/deep/file.txt", "deep\n"),
    write("script.sh", "#!/bin/sh\n", 0o755),
    write("dvc.yaml", SMALL_PIPELINE),
    write(".gitignore", "/model\n/ignored.txt\n"),
    *commit("first"),
    run("-q", "--temp", "-n", "small", "-S", "lr=2"),
)
"""One commit, and an experiment that changes, adds and removes files; the workspace is clean."""

LINES = (
    git("init", "-q"),
    *init_dvc(),
    write("dvc.yaml", "stages:\n  s: {cmd: echo > o, outs: [o], params: [lr, prompt]}\n"),
    write("params.yaml", "lr: 1\nprompt: |\n  You are\n  a | bot\n"),
    *commit("one"),
)
"""One commit, with a parameter of several lines."""
