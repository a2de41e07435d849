"""Parameter files of every form and type, and what counts as a change."""

from __future__ import annotations

from tests.compat.case import Case, case
from tests.support.project import commit, repro, run, write

TYPES = """\
s: text
i: 3
f: 0.001
e: 1e-5
big: 1e20
t: true
n: null
empty: ''
yes_: yes
str_num: '1'
date_like: '2020-01-01'
l: [1, [2, 3], []]
m: {z: 1, a: {b: 2}}
multi: "a\\nb\\n"
long: some words that are long enough to make the line of the lock file wrap at eighty columns
colon: 'a: b'
hash: 'a # b'
uni: é☃
"""

STAGE = "stages:\n  s:\n    cmd: echo 1 >> o\n    params: [{params}]\n    outs: [o]\n"


def _stage(params: str) -> str:
    return STAGE.replace("{params}", params)


def _change(
    name: str,
    before: str,
    after: str,
    *,
    params: str,
    file: str = "params.yaml",
    differs: dict[str, str] | None = None,
) -> Case:
    """One run, an edit of the parameter file, another run."""
    return case(
        name,
        write(file, before),
        write("dvc.yaml", _stage(params)),
        commit(),
        steps=(repro(), write(file, after), run("-n", "e")),
        differs=differs,
    )


CASES = (
    _change("params-types", TYPES, TYPES.replace("i: 3", "i: 4"), params="params.yaml: "),
    case(
        "params-types-by-key",
        write("params.yaml", TYPES),
        write("dvc.yaml", _stage("s, i, f, e, big, t, n, l.1.0, m.a, m.z, multi, long, uni")),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "params-nested-and-listed",
        write("params.yaml", "a:\n  b: {c: [10, 20]}\n  d: x\nz: 1\n"),
        write("dvc.yaml", _stage("z, a.b.c.1, a.b, a.d")),
        commit(),
        steps=run("-n", "e", "-S", "a.b.c.1=21"),
    ),
    case(
        "params-all-file-types",
        write("params.yaml", "y: 1\n"),
        write("conf/p.json", '{"j": {"k": [1, 2.5]}, "other": null}\n'),
        write("p.toml", "title = 'x'\n[t]\nlr = 1e-3\nlist = [1, 2]\n"),
        write(
            "p.py",
            "LR = 0.1\nclass T:\n    n = 3\n    def __init__(self):\n        self.d = {'a': 1}\n",
        ),
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: cat params.yaml conf/p.json p.toml p.py > o
                params:
                - p.toml: [t.lr, title]
                - conf/p.json: [j.k]
                - y
                - p.py: [LR, T.n, T.d]
                outs: [o]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "params-whole-files",
        write("p.json", '{"b": 1, "a": {"c": 2}}\n'),
        write("p.toml", "x = 1\n[y]\nz = 2\n"),
        write("p.py", "A = 1\nB = (1, 2)\n"),
        write("p.yaml", "k: [1]\n"),
        write("dvc.yaml", _stage("p.json: , p.toml: [], p.py: , p.yaml: , p.yaml: [k]")),
        commit(),
        steps=run("-n", "e"),
    ),
    _change("params-untracked-key-changes", "a: 1\nb: 1\n", "a: 1\nb: 2\n", params="a"),
    _change("params-same-number", "a: 1\nb: 0.001\n", "a: 1.0\nb: 1e-3\n", params="a, b"),
    _change("params-number-becomes-text", "a: 1\n", "a: '1'\n", params="a"),
    _change("params-bool-equals-number", "a: 1\n", "a: true\n", params="a"),
    _change("params-key-order-changes", "m: {a: 1, b: 2}\n", "m: {b: 2, a: 1}\n", params="m"),
    _change(
        "params-key-removed",
        "a: 1\nb: 2\n",
        "a: 1\n",
        params="a, b",
        differs={"files": "a stage that cannot run keeps its outputs", "dvc says": "so"},
    ),
    _change("params-whole-file-key-removed", "a: 1\nb: 2\n", "a: 1\n", params="params.yaml: "),
    _change("params-null-and-missing", "a:\n", "a: 0\n", params="a"),
    _change("params-tuple", "A = (1, 2)\n", "A = [1, 2]\n", params="'p.py': [A]", file="p.py"),
    _change("params-comment-only", "a: 1\n", "# new\na: 1 # same\n", params="a"),
    case(
        "params-missing-file",
        write("dvc.yaml", _stage("lr")),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "params-missing-key",
        write("params.yaml", "a: 1\n"),
        write("dvc.yaml", _stage("a, b.c")),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "params-integer-key",
        write("params.yaml", "1: one\nm: {2: two}\n"),
        write("dvc.yaml", _stage("'1', m.2")),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "params-not-a-number",
        write("params.yaml", "alone: .nan\nm: {x: [.nan]}\n"),
        write("dvc.yaml", _stage("m")),
        commit(),
        steps=(
            repro(),
            repro(),
            write("dvc.yaml", _stage("alone")),
            repro(),
            repro(),
        ),
    ),
    case(
        "params-made-by-a-stage",
        write(
            "dvc.yaml",
            """\
            stages:
              use:
                cmd: cat made.yaml > used
                params:
                - made.yaml: [k]
                outs: [used]
              make:
                cmd: 'echo "k: 5" > made.yaml'
                outs:
                - made.yaml:
                    cache: false
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "params-named-size",
        write("params.yaml", "size: 1\nnfiles: 2\n"),
        write("in", "x"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat params.yaml in > o\n    deps: [in]\n"
            "    params: [size]\n    outs: [o]\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b", "-S", "size=2")),
        differs=dict.fromkeys(
            ("lines", "experiments", "files", "cache", "run_cache", "dvc says"),
            "deviation 4: a run-cache hit counts only if the parameters are equal",
        ),
    ),
    case(
        "params-top-level",
        write("params.yaml", "lr: 1\n"),
        write("extra.json", '{"a": 1}'),
        write("dvc.yaml", "params: [extra.json, untracked.yaml]\n" + _stage("lr")),
        commit(),
        steps=(write("untracked.yaml", "u: 1\n"), run("-n", "e")),
    ),
)
