"""Snippets of dvc.yaml with parameter files, each with something to get right or to refuse."""

# ruff: noqa: E501 - the tables are easier to read with one document on a line

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pipeline.oracle import Sources

MAP = (
    'm: {s: "a b", i: 1, f: 1.5, t: true, n: false, none: null, l: [1, "x y", true],'
    ' nest: {k: v, deep: {z: 2}}, e: [], em: {}, q: "it\'s", 3: dropped}'
)


def templated(cmd: str, params: str) -> Sources:
    """A stage with only a command, and a params.yaml."""
    return {"dvc.yaml": f"stages:\n  s:\n    cmd: {json.dumps(cmd)}\n", "params.yaml": params}


SCALARS = r"""
true TRUE True tRUE false yes no on off null ~ Null nULL 010 0o17 0o8 0x1F 0b11 1_000 -0 +1 1.50
1e3 1e-3 1e+3 1E5 1.e5 .5 -.5 .5e1 .5e+1 1. 0.00001 1e16 1e-7 123456789012345678901234567890 .inf
-.inf .Inf 12:30:45 1:30 0 00 08 0.0 -0.0 1__0 _1 0_ 2020-13 a:b http://x 1.2.3 v1 =
""".split()

EXPRESSIONS = """
${a} ${ a } ${a.b} ${a[b]} ${a.l[0]} ${a.l.0} ${a.l[-1]} ${a.l[5]} ${a.l.x} ${a.l[ 0 ]} ${a.l} ${a.b.c}
${b.c} ${missing} ${} ${_} ${a.} ${.a} ${a..b} ${a[b} ${a]} ${a[]} ${a.l[0].x} ${a.m[0].z} ${a.m[0][z]}
${${x}} ${x ${x} $x $${x} \\${x} \\\\${x} a\\${x}b${x} ${x}${y} ${x}} {${x}} ${x}-${y} ${1} ${d.1}
${t}/${f}/${n} ${sp ace} ${sp ace.in ner} ${uni} ${empty} p${empty}q ${em} p${em}q ${x}\\${y} ${a.l[0]_}
${a.l[0][1]} ${a.l[+0]} ${a.l[0_0]} ${x.} ${b.0} ${dash-ed} ${a.m} ${q"x} ${lit} \\${x ${f.g} ${a[b].c}
""".split(" ")

VALUES = """
a: {b: 1, l: [10, 20], m: [{z: 5}]}
b: {c: deep}
x: X
y: 2
t: true
f: 0.5
n: null
d: {1: one}
1: top
sp ace: {in ner: spaces}
uni: é
empty: ""
em: {}
dash-ed: ok
lit: "${x}"
"""

BODIES = {
    "empty file": "",
    "only a comment": "# nothing\n",
    "list at the top": "- a\n",
    "text at the top": "hello\n",
    "false at the top": "false\n",
    "no stages": "metrics: [m.json]\nparams: [p.yaml]\n",
    "null stages": "stages:\n",
    "empty stages": "stages: {}\n",
    "unknown top-level key": "stagess: {}\n",
    "anchor holder at the top": "x: &x 1\nstages: {}\n",
    "datasets": "datasets:\n- {name: d, type: url, url: http://x}\nstages: {s: {cmd: x, deps: [ds://d]}}",
    "artifacts": "artifacts: {m: {path: p, desc: d, type: t, labels: [a], meta: {x: 1}}}",
    "artifact without path": "artifacts: {m: {desc: d}}",
    "artifact null": "artifacts: {m: }",
    "artifact odd key": "artifacts: {m: {path: p, x: 1}}",
    "top-level metrics map": "metrics: {a: 1}",
    "top-level metrics null": "metrics:",
    "top-level metrics number": "metrics: [1]",
    "top-level plots": "plots: [a.csv, {b: }, {c: {x: a, y: b}}, {d: {y: {f.csv: [p, q]}, x: {f.csv: s}}}]",
    "top-level plots y list": "plots: [{c: {y: [a, b], title: t, x_label: x, y_label: y, template: z}}]",
    "top-level plots bad key": "plots: [{c: {y: [a, b], header: true}}]",
    "top-level plots empty": "plots: [{}]",
    "top-level plots map": "plots: {a: {x: y}}",
    "top-level plots x list": "plots: [{c: {x: [a]}}]",
    "top-level plots number": "plots: [1]",
    "stage null": "stages: {s: }",
    "stage text": "stages: {s: x}",
    "stage without cmd": "stages: {s: {deps: [a]}}",
    "stage cmd null": "stages: {s: {cmd: }}",
    "stage cmd number": "stages: {s: {cmd: 1}}",
    "stage cmd map": "stages: {s: {cmd: {a: 1}}}",
    "stage cmd list": "stages: {s: {cmd: [a, b]}}",
    "stage cmd list of numbers": "stages: {s: {cmd: [1, b]}}",
    "stage cmd empty": "stages: {s: {cmd: ''}}",
    "stage cmd empty list": "stages: {s: {cmd: []}}",
    "stage unknown key": "stages: {s: {cmd: x, dep: [a]}}",
    "stage number as name": "stages: {1: {cmd: x}}",
    "stage bool key": "stages: {s: {cmd: x, true: 1}}",
    "stage name with @": "stages: {s@t: {cmd: x}}",
    "stage name with dots": "stages: {s.t/u: {cmd: x}}",
    "stage name empty": "stages: {'': {cmd: x}}",
    "stage name templated": "stages: {'s${x}': {cmd: x}}",
    "deps null": "stages: {s: {cmd: x, deps: }}",
    "deps text": "stages: {s: {cmd: x, deps: a}}",
    "deps number": "stages: {s: {cmd: x, deps: [1]}}",
    "deps map": "stages: {s: {cmd: x, deps: [{a: {}}]}}",
    "deps twice": "stages: {s: {cmd: x, deps: [a, a, ./a, d/, ../up, b/../c]}}",
    "deps empty": "stages: {s: {cmd: x, deps: []}}",
    "deps empty path": "stages: {s: {cmd: x, deps: ['']}}",
    "deps dvc file": "stages: {s: {cmd: x, deps: [a.dvc]}}",
    "deps dvc.yaml": "stages: {s: {cmd: x, deps: [sub/dvc.yaml]}}",
    "deps dvc.lock": "stages: {s: {cmd: x, deps: [dvc.lock]}}",
    "outs dvc file": "stages: {s: {cmd: x, outs: [a.dvc]}}",
    "outs dvc.yaml": "stages: {s: {cmd: x, outs: [dvc.yaml]}}",
    "metrics and plots": "stages: {s: {cmd: x, plots: [p], metrics: [m], outs: [o]}}",
    "outs options": "stages: {s: {cmd: x, outs: [{a: {cache: false, persist: true, push: false,"
    " remote: r, desc: d, type: t, labels: [l], meta: {k: 1}, checkpoint: true}}]}}",
    "outs unknown option": "stages: {s: {cmd: x, outs: [{a: {cach: false}}]}}",
    "outs null options": "stages: {s: {cmd: x, outs: [{a: }]}}",
    "outs null option": "stages: {s: {cmd: x, outs: [{a: {cache: }}]}}",
    "outs text option": "stages: {s: {cmd: x, outs: [{a: {cache: 'yes'}}]}}",
    "outs two paths in a map": "stages: {s: {cmd: x, outs: [{a: {cache: false}, b: {}}]}}",
    "outs empty map": "stages: {s: {cmd: x, outs: [{}]}}",
    "outs twice": "stages: {s: {cmd: x, outs: [a, b, {a: {cache: false}}, {b: {push: false}}, a]}}",
    "outs number": "stages: {s: {cmd: x, outs: [1]}}",
    "outs number as path": "stages: {s: {cmd: x, outs: [{1: {}}]}}",
    "outs map": "stages: {s: {cmd: x, outs: {a: {}}}}",
    "plots options": "stages: {s: {cmd: x, plots: [{p: {x: a, y: b, x_label: c, y_label: d,"
    " title: e, template: f, header: false, cache: false}}]}}",
    "plots y list": "stages: {s: {cmd: x, plots: [{p: {y: [a]}}]}}",
    "plots list of options": "stages: {s: {cmd: x, plots: [{p: [{x: a}]}]}}",
    "plots empty options": "stages: {s: {cmd: x, plots: [{p: {}}]}}",
    "metrics with plot options": "stages: {s: {cmd: x, metrics: [{p: {x: a}}]}}",
    "params": "stages: {s: {cmd: x, params: [a, b.c, a, {f.json: [x, y]}, {g.toml: }, {h.py: []}]}}",
    "params whole wins": "stages: {s: {cmd: x, params: [a, {params.yaml: }, b]}}",
    "params whole wins other": "stages: {s: {cmd: x, params: [{p.yaml: [a]}, {p.yaml: }, {p.yaml: [b]}]}}",
    "params joined": "stages: {s: {cmd: x, params: [{p.yaml: [a]}, c, {p.yaml: [b], params.yaml: [d]}]}}",
    "params map": "stages: {s: {cmd: x, params: {a: 1}}}",
    "params keys text": "stages: {s: {cmd: x, params: [{f.yaml: k}]}}",
    "params keys map": "stages: {s: {cmd: x, params: [{f.yaml: {a: 1}}]}}",
    "params keys empty map": "stages: {s: {cmd: x, params: [{f.yaml: {}}]}}",
    "params number": "stages: {s: {cmd: x, params: [1]}}",
    "params empty": "stages: {s: {cmd: x, params: []}}",
    "params empty map": "stages: {s: {cmd: x, params: [{}]}}",
    "params null": "stages: {s: {cmd: x, params: }}",
    "params dvc file": "stages: {s: {cmd: x, params: [{a.dvc: [k]}]}}",
    "flags": "stages: {s: {cmd: x, frozen: true, always_changed: true, desc: d, meta: {a: [1, 2020-01-01]}}}",
    "flags text": "stages: {s: {cmd: x, frozen: 'true'}}",
    "flags yes": "stages: {s: {cmd: x, frozen: yes}}",
    "desc number": "stages: {s: {cmd: x, desc: 1}}",
    "meta null": "stages: {s: {cmd: x, meta: }}",
    "wdir": "stages: {s: {cmd: x, wdir: a/b/../c, deps: [x, ../y], params: [k], outs: [z]}}",
    "wdir outside": "stages: {s: {cmd: x, wdir: ../../o, deps: [x]}}",
    "wdir null": "stages: {s: {cmd: x, wdir: }}",
    "wdir empty": "stages: {s: {cmd: x, wdir: ''}}",
    "wdir dot": "stages: {s: {cmd: x, wdir: ., outs: [a]}}",
    "url dependencies": "stages: {s: {cmd: x, deps: ['https://h/x', 'https://h/y/']}}",
    "order": "stages: {z: {cmd: x}, a: {cmd: x}, m: {foreach: [2, 1], do: {cmd: x}}, b: {cmd: x}}",
    "yaml anchors": "stages: {a: &a {cmd: x, deps: [d]}, b: {<<: *a, outs: [o]}, c: {<<: [*a], cmd: y}}",
    "duplicate key": "stages: {s: {cmd: x, cmd: y}}",
    "duplicate stage": "stages: {s: {cmd: x}, s: {cmd: y}}",
    "tab": "stages:\n  s:\n    cmd: a\tb\n",
    "tab in block": "stages:\n  s:\n    cmd: |\n      a\tb\n",
    "block cmd": "stages:\n  s:\n    cmd: >-\n      a\n      b\n\n      c\n",
    "conflict markers": "<<<<<<< HEAD\nstages: {}\n=======\n>>>>>>> x\n",
    "yaml 1.1": "%YAML 1.1\n---\nstages: {s: {cmd: x, frozen: yes, meta: [010, 1:30]}}",
    "two documents": "stages: {}\n---\nstages: {}\n",
    "unknown tag": "stages: {s: {cmd: !x y}}",
    "object tag": "stages: {s: {cmd: !!python/object/apply:os.getcwd []}}",
    "known tag": "stages: {s: {cmd: !!str 1, meta: !!set {a, b}}}",
    # groups
    "foreach list": "stages: {b: {foreach: [us, uk, 1, 1.5, true, null, us], do: {cmd: 't ${item}'}}}",
    "foreach list key": "stages: {b: {foreach: [us], do: {cmd: 't ${key}'}}}",
    "foreach composite": "stages: {b: {foreach: [{a: 1, 2: x}, c, [d, e]], do: {cmd: 't ${item}'}}}",
    "foreach maps": "stages: {b: {foreach: [{a: 1}, {a: 2}], do: {cmd: 't ${item.a}', outs: ['o${item.a}']}}}",
    "foreach map": "stages: {b: {foreach: {x: 1, y: {z: 2}, 3: c, true: d}, do: {cmd: 't ${key}'}}}",
    "foreach map items": "stages: {b: {foreach: {x: {z: 1}, y: {z: 2}}, do: {cmd: 't ${key} ${item.z}'}}}",
    "foreach text": "stages: {b: {foreach: abc, do: {cmd: x}}}",
    "foreach number": "stages: {b: {foreach: 1, do: {cmd: x}}}",
    "foreach null": "stages: {b: {foreach: , do: {cmd: x}}}",
    "foreach empty": "stages: {b: {foreach: [], do: {cmd: '${nope}'}}}",
    "foreach empty bad syntax": "stages: {b: {foreach: [], do: {cmd: '${}'}}}",
    "foreach without do": "stages: {b: {foreach: [a]}}",
    "do without foreach": "stages: {b: {do: {cmd: x}}}",
    "foreach with cmd": "stages: {b: {foreach: [a], do: {cmd: x}, cmd: y}}",
    "foreach do without cmd": "stages: {b: {foreach: [a], do: {deps: [x]}}}",
    "foreach do null": "stages: {b: {foreach: [a], do: }}",
    "foreach key with @": "stages: {b: {foreach: [a@b], do: {cmd: x}}}",
    "foreach empty key": "stages: {b: {foreach: [''], do: {cmd: x}}}",
    "foreach group with @": "stages: {b@c: {foreach: [a], do: {cmd: x}}}",
    "foreach date": "stages: {b: {foreach: [2020-01-01], do: {cmd: x}}}",
    "foreach stage vars": "stages: {b: {foreach: [a], do: {cmd: '${item}${v}', vars: [{v: 1}]}}}",
    "foreach vars item": "stages: {b: {foreach: [a], do: {cmd: x, vars: [{item: 1}]}}}",
    "foreach vars key": "stages: {b: {foreach: [a], do: {cmd: '${key}', vars: [{key: 1}]}}}",
    "foreach map vars key": "stages: {b: {foreach: {a: 1}, do: {cmd: '${key}', vars: [{key: 1}]}}}",
    "foreach wdir": "stages: {b: {foreach: [a], do: {cmd: x, wdir: '${item}', deps: [d]}}}",
    "foreach item whole": "stages: {b: {foreach: [{a: 1}], do: {cmd: '${item}'}}}",
    "foreach item list": "stages: {b: {foreach: [[a]], do: {cmd: '${item}'}}}",
    "foreach item list index": "stages: {b: {foreach: [[a, b]], do: {cmd: '${item[1]}'}}}",
    "foreach item in deps": "stages: {b: {foreach: [1], do: {cmd: x, deps: ['${item}']}}}",
    "foreach shadow": "vars: [{item: 5, key: 6}]\nstages: {b: {foreach: [a], do: {cmd: '${item} ${key}'}},"
    " c: {cmd: '${item} ${key}'}}",
    "matrix": "stages: {t: {matrix: {m: [cnn, xgb], f: [1, 2.0, true]}, cmd: '${item.m} ${item.f} ${key}'}}",
    "matrix composite": "stages: {t: {matrix: {m: [{a: 1}, b, [c]], f: [x]}, cmd: '${item.f} ${key}'}}",
    "matrix item": "stages: {t: {matrix: {m: [{a: 1}], f: [x]}, cmd: 'r ${item}'}}",
    "matrix text axis": "stages: {t: {matrix: {m: ab, f: [x]}, cmd: '${item.m}'}}",
    "matrix map axis": "stages: {t: {matrix: {m: {a: 1}}, cmd: x}}",
    "matrix empty axis": "stages: {t: {matrix: {m: [], f: [x]}, cmd: x}}",
    "matrix empty": "stages: {t: {matrix: {}, cmd: x}}",
    "matrix number axis": "stages: {t: {matrix: {m: 1}, cmd: x}}",
    "matrix list": "stages: {t: {matrix: [a], cmd: x}}",
    "matrix number as name": "stages: {t: {matrix: {1: [a]}, cmd: x}}",
    "matrix collision": "stages: {t: {matrix: {m: [a-b, a], f: [c, b-c]}, cmd: '${item.m} ${item.f}'}}",
    "matrix foreach": "stages: {t: {matrix: {m: [a]}, foreach: [b], do: {cmd: x}}}",
    "matrix vars": "stages: {t: {matrix: {m: [a]}, cmd: '${item.m} ${v}', vars: [{v: 1}]}}",
    "matrix vars key": "stages: {t: {matrix: {m: [a]}, cmd: x, vars: [{key: 1}]}}",
    "matrix key with @": "stages: {t: {matrix: {m: [a@b]}, cmd: x}}",
    "matrix in do": "stages: {t: {foreach: [a], do: {cmd: x, matrix: {m: [b]}}}}",
    "matrix null value": "stages: {t: {matrix: {m: [null, false]}, cmd: 'x${item.m}'}}",
    # vars
    "vars inline": "vars: [{a: 1}, {b: {c: 2}}, {b: {d: 3}}]\nstages: {s: {cmd: '${a} ${b} ${b.d}'}}",
    "vars clash": "vars: [{a: 1}, {a: 1}]\nstages: {}",
    "vars clash list": "vars: [{a: [1]}, {a: [1]}]\nstages: {}",
    "vars clash map": "vars: [{a: {b: 1}}, {a: 1}]\nstages: {}",
    "vars templated": "vars: [{a: '${b}'}]\nstages: {}",
    "vars templated key": "vars: [{'${b}': a}]\nstages: {}",
    "vars templated file": "vars: ['${b}.yaml']\nstages: {}",
    "vars escaped": "vars: [{a: '\\${b}'}]\nstages: {s: {cmd: '${a}'}}",
    "vars number": "vars: [1]\nstages: {}",
    "vars null": "vars:\nstages: {}",
    "vars map": "vars: {a: 1}\nstages: {}",
    "vars date": "vars: [{a: 2020-01-01}]\nstages: {}",
    "vars set": "vars: [{a: !!set {x}}]\nstages: {}",
    "vars binary": "vars: [{a: !!binary YWJj}]\nstages: {s: {cmd: 'x ${a}'}}",
    "vars number key": "vars: [{1: 2020-01-01, a: 1}]\nstages: {s: {cmd: '${a}'}}",
    "vars missing file": "vars: [nope.yaml]\nstages: {}",
    "stage vars": "vars: [{a: 1}]\nstages: {s: {cmd: '${a} ${b}', vars: [{b: 2}]}, t: {cmd: '${b}'}}",
    "stage vars used": "vars: [{a: 1}]\nstages: {s: {cmd: '${a} ${b}', vars: [{b: 2}]}}",
    "stage vars clash": "vars: [{a: 1}]\nstages: {s: {cmd: x, vars: [{a: 2}]}}",
    "stage vars merge": "vars: [{a: {b: 1}}]\nstages: {s: {cmd: 'x ${a}', vars: [{a: {c: 2}}]}, t: {cmd: 'x ${a}'}}",
    "stage vars templated": "stages: {s: {cmd: x, vars: [{b: '${x}'}]}}",
    "stage vars item": "stages: {s: {cmd: '${item}', vars: [{item: 2}]}}",
    "stage vars empty": "stages: {s: {cmd: x, vars: []}}",
    "stage vars null": "stages: {s: {cmd: x, vars: }}",
}

WITH_FILES: dict[str, Sources] = {
    "everything templated": {
        "dvc.yaml": """
stages:
  s:
    cmd: [echo ${x}, echo ${y}]
    wdir: ${x}
    deps: ["${x}.txt"]
    params: ["${x}", {"${x}.yaml": ["${y}k"]}]
    outs: [{"${x}.o": {remote: "${x}", desc: "${y}"}}]
    metrics: [{"${x}": {cache: false}}]
    plots: [{"p${y}": {x: "${x}", title: "${y}"}}]
    desc: ${x}
    meta: {"${x}": ["${y}", "${b.c}"]}
metrics: ["${x}.json"]
params: ["${x}.yaml"]
plots: ["${x}", {"${y}": {x: "${x}"}}]
artifacts: {"${x}": {path: "${b.c}", labels: ["${x}"]}}
datasets: [{name: "${x}", type: url}]
""",
        "params.yaml": VALUES,
    },
    "native types": {
        "dvc.yaml": """
stages:
  s: {cmd: "${y}", desc: "${y}", meta: ["${t}", "${n}", "${f}", "${x}"]}
  t: {cmd: "${n}"}
  u: {cmd: ["${y}", "${n}"]}
""",
        "params.yaml": VALUES,
    },
    "number as dependency": {
        "dvc.yaml": "stages: {s: {cmd: x, deps: ['${y}']}}",
        "params.yaml": VALUES,
    },
    "null as dependency": {
        "dvc.yaml": "stages: {s: {cmd: x, deps: ['${n}']}}",
        "params.yaml": VALUES,
    },
    "number as output": {
        "dvc.yaml": "stages: {s: {cmd: x, outs: ['${y}']}}",
        "params.yaml": VALUES,
    },
    "number as param": {
        "dvc.yaml": "stages: {s: {cmd: x, params: ['${y}']}}",
        "params.yaml": VALUES,
    },
    "number as wdir": {
        "dvc.yaml": "stages: {s: {cmd: x, wdir: '${y}'}}",
        "params.yaml": VALUES,
    },
    "null as wdir": {
        "dvc.yaml": "stages: {s: {cmd: x, wdir: '${n}', deps: [a]}}",
        "params.yaml": VALUES,
    },
    "map in deps": {
        "dvc.yaml": "stages: {s: {cmd: x, deps: ['${b}']}}",
        "params.yaml": VALUES,
    },
    "map in a list of commands": {
        "dvc.yaml": "stages: {s: {cmd: ['x ${b}', '${b}']}}",
        "params.yaml": VALUES,
    },
    "bool option from an expression": {
        "dvc.yaml": "stages: {s: {cmd: x, outs: [{o: {cache: '${t}'}}]}}",
        "params.yaml": VALUES,
    },
    "colliding keys after resolution": {
        "dvc.yaml": "stages: {s: {cmd: x, outs: [{'${x}': {cache: false}, X: {push: false}}]}}",
        "params.yaml": VALUES,
    },
    "foreach over a list": {
        "dvc.yaml": "stages: {b: {foreach: '${l}', do: {cmd: 't ${item}'}}}",
        "params.yaml": "l: [a, 1, true, null, 1.0]",
    },
    "foreach over a list of maps": {
        "dvc.yaml": "stages: {b: {foreach: '${l}', do: {cmd: 't ${item.a} ${item.d.e[0]}', deps: ['${item.a}']}}}",
        "params.yaml": "l: [{a: x, d: {e: [7]}}, {a: y, d: {e: [8]}}]",
    },
    "foreach over a map": {
        "dvc.yaml": "stages: {b: {foreach: '${m}', do: {cmd: 't ${key} ${item}'}}}",
        "params.yaml": "m: {x: 1, y: true, 3: no}",
    },
    "foreach over a map of maps": {
        "dvc.yaml": "stages: {b: {foreach: '${m}', do: {cmd: 't ${item}', desc: '${item.a}'}}}",
        "params.yaml": "m: {x: {a: 1, b: [2]}, y: {a: 2}}",
    },
    "foreach over a nested list": {
        "dvc.yaml": "stages: {b: {foreach: '${m.l}', do: {cmd: 't ${item}'}}}",
        "params.yaml": "m: {l: [x, y]}",
    },
    "foreach over a scalar": {
        "dvc.yaml": "stages: {b: {foreach: '${x}', do: {cmd: x}}}",
        "params.yaml": "x: abc",
    },
    "foreach over mixed text": {
        "dvc.yaml": "stages: {b: {foreach: 'a${x}', do: {cmd: x}}}",
        "params.yaml": "x: abc",
    },
    "foreach over nothing there": {
        "dvc.yaml": "stages: {b: {foreach: '${nope}', do: {cmd: x}}}",
        "params.yaml": "x: abc",
    },
    "foreach items from expressions": {
        "dvc.yaml": "stages: {b: {foreach: ['${x}', 'a${x}', '${t}', z], do: {cmd: 't ${item}'}}}",
        "params.yaml": "{x: abc, t: true}",
    },
    "foreach items of maps with expressions": {
        "dvc.yaml": "stages: {b: {foreach: [{a: '${x}', b: '${m}'}], do: {cmd: 't ${item.a} ${item.b.c} ${item.b}'}}}",
        "params.yaml": "{x: abc, m: {c: 1}}",
    },
    "foreach items whole with expressions": {
        "dvc.yaml": "stages: {b: {foreach: [{a: '${x}', b: '${m}'}], do: {cmd: 't ${item}'}}}",
        "params.yaml": "{x: abc, m: {c: 1}}",
    },
    "foreach items are composite by expression": {
        "dvc.yaml": "stages: {b: {foreach: ['${m}', b], do: {cmd: 't ${item}'}}}",
        "params.yaml": "{x: abc, m: {c: 1}}",
    },
    "foreach keys from expressions": {
        "dvc.yaml": "stages: {b: {foreach: {'${x}': 1}, do: {cmd: 't ${item}'}}}",
        "params.yaml": "{x: abc}",
    },
    "foreach keys from mixed text": {
        "dvc.yaml": "stages: {b: {foreach: {'a${x}': '${x}'}, do: {cmd: 't ${key} ${item}'}}}",
        "params.yaml": "{x: abc}",
    },
    "foreach item shadows and is tracked": {
        "dvc.yaml": "stages: {b: {foreach: '${l}', do: {cmd: 't ${item} ${l[0]} ${x}'}}}",
        "params.yaml": "{l: [a, b], x: 1, item: 3}",
    },
    "foreach with stage vars over files": {
        "dvc.yaml": "stages: {b: {foreach: '${l}', do: {cmd: 't ${item} ${v}', vars: [v.yaml]}}}",
        "params.yaml": "{l: [a, b]}",
        "v.yaml": "v: 1",
    },
    "foreach with bad item reference": {
        "dvc.yaml": "stages: {b: {foreach: [{a: 1}], do: {cmd: 't ${item.b}'}}}",
    },
    "matrix from expressions": {
        "dvc.yaml": "stages: {b: {matrix: {x: '${l}', y: '${m}'}, cmd: 't ${item.x} ${item.y} ${key}'}}",
        "params.yaml": "{l: [a, true, null, 1.0, {c: 1}], m: {p: 1, q: 2}}",
    },
    "matrix items from expressions": {
        "dvc.yaml": "stages: {b: {matrix: {x: ['${a}', 'b${a}', '${m}', '${t}']}, cmd: 't ${item.x}'}}",
        "params.yaml": "{a: 1, m: {p: 1, q: 2}, t: true}",
    },
    "matrix from a scalar": {
        "dvc.yaml": "stages: {b: {matrix: {x: '${a}'}, cmd: 't ${item.x}'}}",
        "params.yaml": "{a: abc}",
    },
    "matrix from mixed text": {
        "dvc.yaml": "stages: {b: {matrix: {x: 'x${a}'}, cmd: 't ${item.x}'}}",
        "params.yaml": "{a: bc}",
    },
    "matrix axis name from an expression": {
        "dvc.yaml": "stages: {b: {matrix: {'n${a}': [1]}, cmd: 't ${item.nbc}'}}",
        "params.yaml": "{a: bc}",
    },
    "matrix deep item": {
        "dvc.yaml": "stages: {b: {matrix: {x: '${l}'}, cmd: 't ${item.x.c[1]}'}}",
        "params.yaml": "{l: [{c: [1, 2]}, {c: [3, 4]}]}",
    },
    "vars files": {
        "dvc.yaml": "vars: [a.json, b.toml, c.py]\nstages: {s: {cmd: '${j.k} ${t.k} ${P.k} ${n}'}}",
        "a.json": '{"j": {"k": 1.50}}',
        "b.toml": "[t]\nk = 'x'\n",
        "c.py": "n = 1e3\nclass P:\n    k = True\n",
    },
    "vars file suffix in capitals": {
        "dvc.yaml": "vars: [a.JSON]\nstages: {s: {cmd: '${j}'}}",
        "a.JSON": '{"j": "\\u00e9"}',
    },
    "vars file twice": {
        "dvc.yaml": "vars: [a.yaml, ./a.yaml]\nstages: {s: {cmd: '${a}'}}",
        "a.yaml": "a: 1",
    },
    "vars params.yaml again": {
        "dvc.yaml": "vars: [params.yaml]\nstages: {s: {cmd: '${a}'}}",
        "params.yaml": "a: 1",
    },
    "vars partial": {
        "dvc.yaml": "vars: ['a.yaml:a,b']\nstages: {s: {cmd: '${a} ${b}'}}",
        "a.yaml": "{a: 1, b: 2, c: 3}",
    },
    "vars partial hides": {
        "dvc.yaml": "vars: ['a.yaml:a']\nstages: {s: {cmd: '${b}'}}",
        "a.yaml": "{a: 1, b: 2}",
    },
    "vars partial missing": {
        "dvc.yaml": "vars: ['a.yaml:z']\nstages: {}",
        "a.yaml": "{a: 1, b: 2}",
    },
    "vars partial nested": {
        "dvc.yaml": "vars: ['a.yaml:a.b']\nstages: {}",
        "a.yaml": "{a: {b: 1}}",
    },
    "vars partial after partial": {
        "dvc.yaml": "vars: ['a.yaml:a', 'a.yaml:b']\nstages: {s: {cmd: '${a}${b}'}}",
        "a.yaml": "{a: 1, b: 2}",
    },
    "vars partial twice": {
        "dvc.yaml": "vars: ['a.yaml:a', 'a.yaml:a']\nstages: {}",
        "a.yaml": "{a: 1, b: 2}",
    },
    "vars whole after partial": {
        "dvc.yaml": "vars: ['a.yaml:a', a.yaml]\nstages: {}",
        "a.yaml": "{a: 1, b: 2}",
    },
    "vars partial after whole": {
        "dvc.yaml": "vars: [a.yaml, 'a.yaml:a']\nstages: {}",
        "a.yaml": "{a: 1, b: 2}",
    },
    "vars merged from files": {
        "dvc.yaml": "vars: [a.yaml, b.yaml]\nstages: {s: {cmd: 'x ${m} ${m.x} ${m.y.z}'}}",
        "a.yaml": "m: {x: 1}",
        "b.yaml": "m: {y: {z: 2}}",
    },
    "vars clash with params": {"dvc.yaml": "vars: [{a: 1}]\nstages: {}", "params.yaml": "a: 1"},
    "vars empty file": {"dvc.yaml": "vars: [a.yaml]\nstages: {s: {cmd: x}}", "a.yaml": ""},
    "vars list file": {"dvc.yaml": "vars: [a.yaml]\nstages: {}", "a.yaml": "[1]"},
    "vars scalar file": {"dvc.yaml": "vars: [a.yaml]\nstages: {}", "a.yaml": "1"},
    "vars broken file": {"dvc.yaml": "vars: [a.yaml]\nstages: {}", "a.yaml": "{"},
    "vars directory": {"dvc.yaml": "vars: [a]\nstages: {}", "a/x": ""},
    "params directory": {"dvc.yaml": "stages: {s: {cmd: x}}", "params.yaml/x": ""},
    "params date": {"dvc.yaml": "stages: {s: {cmd: x}}", "params.yaml": "a: {b: [1, 2020-01-01]}"},
    "params toml date": {"dvc.yaml": "vars: [a.toml]\nstages: {}", "a.toml": "d = 2020-01-01"},
    "params tuple": {"dvc.yaml": "vars: [a.py]\nstages: {}", "a.py": "a = (1, 2)"},
    "params broken": {"dvc.yaml": "stages: {s: {cmd: x}}", "params.yaml": "a: ["},
    "params duplicate": {"dvc.yaml": "stages: {s: {cmd: x}}", "params.yaml": "{1: a, true: b}"},
    "params aliases": {
        "dvc.yaml": "stages: {s: {cmd: '${b.x} ${c[0].x}'}}",
        "params.yaml": "a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n",
    },
    "stage vars in its wdir": {
        "dvc.yaml": "stages: {s: {cmd: '${v}', wdir: '${w}', vars: [v.yaml]}}",
        "params.yaml": "w: sub",
        "sub/v.yaml": "v: 1",
        "v.yaml": "v: 2",
    },
    "stage vars cannot set wdir": {
        "dvc.yaml": "stages: {s: {cmd: x, wdir: '${v}', vars: [{v: sub}]}}",
    },
    "stage vars item tracked": {
        "dvc.yaml": "stages: {s: {cmd: '${v.l[1]} ${a.b}', vars: [v.yaml]}}",
        "params.yaml": "a: {b: 1}",
        "v.yaml": "v: {l: [1, 2]}",
    },
    "tracked everywhere": {
        "dvc.yaml": "vars: [{i: 1}]\nstages: {s: {cmd: '${i} ${a.b} ${a.l[0]}', wdir: '${w}', deps: ['${d}'], desc: 'x${w}'}}",
        "params.yaml": "{a: {b: 1, l: [5]}, w: sub, d: in}",
    },
    "negative index tracked": {
        "dvc.yaml": "stages: {s: {cmd: '${a.l[-1]} ${ a . l [ 0 ] }'}}",
        "params.yaml": "{a: {l: [5, 6]}}",
    },
    "unpacked map not tracked": {
        "dvc.yaml": "stages: {s: {cmd: 'x ${a}'}}",
        "params.yaml": "{a: {l: [5, 6]}}",
    },
    "unpacked list in list": {
        "dvc.yaml": "stages: {s: {cmd: 'x ${a}'}}",
        "params.yaml": "{a: {l: [[5], 6]}}",
    },
    "unpacked map in list": {
        "dvc.yaml": "stages: {s: {cmd: 'x ${a}'}}",
        "params.yaml": "{a: {l: [{b: 1}]}}",
    },
    "unpacked same name": {
        "dvc.yaml": "stages: {s: {cmd: 'x ${a}'}}",
        "params.yaml": "{a: {b.c: 1, b: {c: 2}}}",
    },
    "unpacked empty": {
        "dvc.yaml": "stages: {s: {cmd: 'x ${a} y${a}'}}",
        "params.yaml": "{a: {b: false, c: []}}",
    },
    "map as the whole command": {
        "dvc.yaml": "stages: {s: {cmd: '${a}'}}",
        "params.yaml": "{a: {b: false}}",
    },
    "list in top-level metrics": {
        "dvc.yaml": "artifacts: {'${a}': {path: x}}",
        "params.yaml": "{a: [m]}",
    },
}

SUBDIRECTORY = [
    pytest.param(sources, id=name)
    for name, sources in {
        "paths": {
            "sub/dvc.yaml": "stages: {s: {cmd: '${a}', wdir: w, deps: [d, ../e, ../../f], params: [k], outs: [o]}}\n"
            "metrics: [m.json, ../n.json]\nparams: [p.yaml]",
            "sub/params.yaml": "a: 1",
            "params.yaml": "a: 2",
        },
        "vars": {
            "sub/dvc.yaml": "vars: [../v.yaml, x/y.yaml]\nstages: {s: {cmd: '${a} ${b} ${c}', wdir: .., vars: [c.yaml]}}",
            "v.yaml": "a: 1",
            "sub/x/y.yaml": "b: 2",
            "c.yaml": "c: 3",
        },
        "no params": {"sub/dvc.yaml": "stages: {s: {cmd: '${a}'}}", "params.yaml": "a: 2"},
    }.items()
]


def collect() -> list[object]:
    """All snippets for a dvc.yaml in the root of the project, as pytest parameters."""
    found: dict[str, Sources] = {name: {"dvc.yaml": text} for name, text in BODIES.items()}
    found |= WITH_FILES
    found |= {f"scalar {text}": templated("${v} a${v}b", f"v: {text}\n") for text in SCALARS}
    found |= {f"native {text}": templated("${v}", f"v: {text}\n") for text in SCALARS[:12]}
    found |= {f"expression {text.strip()}": templated(text.strip(), VALUES) for text in EXPRESSIONS}
    found |= {
        f"foreach scalar {text}": {
            "dvc.yaml": f"stages: {{b: {{foreach: [{text}], do: {{cmd: 'x${{item}}'}}}}}}"
        }
        for text in SCALARS[:40]
    }
    found["unpacked map"] = templated("python x.py ${m} end", MAP)
    return [pytest.param(sources, id=name) for name, sources in found.items()]
