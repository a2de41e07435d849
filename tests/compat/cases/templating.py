"""Interpolation, vars, foreach and matrix."""

from __future__ import annotations

from tests.compat.case import case
from tests.support.project import commit, run, write

SCALARS = """\
t: true
n: null
y: yes
o: 010
x: 0x1F
f: 1.50
small: 0.00001
e: 1e-3
big: 1e16
inf: .inf
u: 1_000
time: 12:30:45
s: a b
"""

UNPACKED = """\
m:
  s: a b
  i: 1
  f: 1.5
  t: true
  n: false
  none: null
  l: [1, x y, true]
  nest: {k: v, deep: {z: 2}}
  e: []
  q: it's
"""

CASES = (
    case(
        "templating-scalars",
        write("params.yaml", SCALARS),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: echo 'b=${t} ${n} ${y} ${o} ${x} ${f} ${small} ${e} ${big} "
            "${inf} ${u} ${time} ${ s } \\${t} $${f}' > o\n    outs: [o]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "templating-everywhere",
        write("params.yaml", "name: out\ncode: main.sh\nfile: conf.yaml\n"),
        write("conf.yaml", "k: 1\n"),
        write("main.sh", "echo hi\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: sh ${code} > ${name}.txt && echo 1 > ${name}.json
                deps: ["${code}"]
                params:
                - ${file}: [k]
                outs:
                - ${name}.txt
                metrics:
                - ${name}.json:
                    cache: false
            """,
        ),
        commit(),
        steps=run("-n", "e", "-S", "name=result"),
    ),
    case(
        "templating-map-unpacking",
        write("params.yaml", UNPACKED),
        write("dvc.yaml", "stages:\n  s:\n    cmd: echo ${m} end > o\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "templating-map-unpacking-configured",
        write("params.yaml", UNPACKED),
        write(".dvc/config", "[parsing]\n    bool = boolean_optional\n    list = append\n"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: echo ${m} end > o\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "vars",
        write("params.yaml", "a: 1\nm: {x: 1}\n"),
        write("more.yaml", "b: 2\nm: {y: 2}\nc: unused\n"),
        write("v.json", '{"j": {"k": "json"}}'),
        write("v.toml", "t = 'toml'\n"),
        write("v.py", "P = 'py'\n"),
        write(
            "dvc.yaml",
            """\
            vars: [more.yaml, v.json, "v.toml:t", v.py, {local: here}]
            stages:
              s:
                vars: [{mine: 3}]
                cmd: echo ${a} ${b} ${m.x} ${m[y]} ${j.k} ${t} ${P} ${local} ${mine} > o
                outs: [o]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "vars-clash",
        write("params.yaml", "a: 1\n"),
        write("dvc.yaml", "vars: [{a: 2}]\nstages:\n  s:\n    cmd: echo ${a}\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "foreach-list",
        write(
            "dvc.yaml",
            "stages:\n  b:\n    foreach: [us, uk, 1, 1.5, true]\n    do:\n"
            "      cmd: echo ${item} > o-${item}\n      outs: ['o-${item}']\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "foreach-map",
        write("params.yaml", "models: {cnn: {lr: 1}, xgb: {lr: 2}}\n"),
        write(
            "dvc.yaml",
            "stages:\n  t:\n    foreach: ${models}\n    do:\n"
            "      cmd: echo ${key} ${item.lr} > ${key}.txt\n      params: ['models.${key}']\n"
            "      outs: ['${key}.txt']\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b", "-S", "models.xgb.lr=3")),
    ),
    case(
        "foreach-list-of-maps",
        write(
            "dvc.yaml",
            "stages:\n  t:\n    foreach: [{n: a}, {n: b}]\n    do:\n"
            "      cmd: echo ${item.n} > ${item.n}\n      outs: ['${item.n}']\n",
        ),
        commit(),
        steps=run("-n", "e", "t@1"),
    ),
    case(
        "matrix",
        write("params.yaml", "feats: [{c: 1}, {c: 2}]\n"),
        write(
            "dvc.yaml",
            "stages:\n  t:\n    matrix: {model: [cnn, xgb], feat: '${feats}'}\n"
            "    cmd: echo ${item.model} ${item.feat.c} > ${key}.txt\n"
            "    outs: ['${key}.txt']\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "matrix-one-and-group",
        write(
            "dvc.yaml",
            "stages:\n  t:\n    matrix: {a: [1, 2], b: [x, y]}\n    cmd: echo > ${key}\n"
            "    outs: ['${key}']\n  z:\n    cmd: cat 1-x 2-y > z\n    deps: [1-x, 2-y]\n"
            "    outs: [z]\n",
        ),
        commit(),
        steps=(run("-n", "a", "t@1-y"), run("-n", "b", "t"), run("-n", "c")),
    ),
    case(
        "foreach-nothing",
        write(
            "dvc.yaml",
            "stages:\n  t:\n    foreach: []\n    do:\n      cmd: echo ${item}\n"
            "  s:\n    cmd: echo > s\n    outs: [s]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "yaml-anchors-and-merges",
        write(
            "dvc.yaml",
            "stages:\n  a: &a\n    cmd: echo 1 > a\n    deps: &d [in]\n    outs: [a]\n"
            "  b:\n    <<: *a\n    cmd: cat in > b\n    deps: *d\n    outs: [b]\n",
        ),
        write("in", "1\n"),
        commit(),
        steps=run("-n", "e"),
    ),
)
