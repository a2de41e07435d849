"""Corners where several rules meet: groups and selection, odd files, what pulling finds."""

from __future__ import annotations

from tests.compat.case import Actions, Case, case, flat
from tests.compat.pipelines import CHAINED
from tests.support.project import Action, Delete, commit, dvc, repro, run, write

STAGE = "stages:\n  s:\n    cmd: cat in > o\n    deps: [in]\n    outs: [o]\n"
GROUPS = flat(
    write(
        "dvc.yaml",
        """\
        stages:
          prep:
            foreach: [a, b]
            do:
              cmd: echo ${item} > p_${item}
              outs: ['p_${item}']
          t:
            matrix: {m: [x, y], f: [1, 2]}
            cmd: cat p_a p_b > t_${item.m}_${item.f}; echo ${key}
            deps: [p_a, p_b]
            outs: ['t_${item.m}_${item.f}']
          end:
            cmd: cat t_x_1 t_y_2 > end
            deps: [t_x_1, t_y_2]
            outs: [end]
        """,
    ),
    commit(),
    dvc("repro", "--quiet"),
    commit(),
)
REMOTE = write(
    ".dvc/config",
    "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../outside/remote\n",
)
TEXTS = """\
s: ['', ' ', 'a: b', '- x', '# c', 'null', 'true', '1e3', '0x1F', '~', '@a', '%c', '&d', '*e',
  '|', '{', ',', ':', "it's", 'q"q', "a\\tb", "é\\u2028x", "\\U0001F600", 'trail ', 'x:', 'a #b',
  'off', '1_000', '.5', '2020-01-01', '12:30:45', '=', '<<', "\\x07", "a\\nb", "\\n"]
n: [1e100, 1e16, 1e15, 123456789.123456789, 1e-5, 0.0001, -0.0, .inf, 0o17, 0x1F, 0b11, 1_000,
  +5, 12e03, 1., 5e-324, 1.7976931348623157e308]
k: {'': 1, 'a: b': 2, 'null': 3, '1': 4, 'é': 6, '- a': 7, '#': 8}
"""
LAID_OUT = """\
# top

a: 1 # one
b:  # map
  # inner
  c: 1 # two

  # tail
text: |
  l1
  l2

fold: >-
  a
  b

  c
? k
: v
x: &x {p: 1}
y: *x
z:
  <<: *x
  q: 2
list: [1,2,
 3]
...
"""


def _case(name: str, text: str, *more: Action | Actions, steps: Actions | Action) -> Case:
    return case(f"corner-{name}", write("dvc.yaml", text), *more, commit(), steps=steps)


def _single(name: str, dep: str, *, differs: str | None = None) -> Case:
    """A single stage that has changed, and data that it reads and others make is pulled."""
    stages = (
        "stages:\n  a: {cmd: mkdir d; cat in > d/a; cat in > d/b; cat in > f, deps: [in],"
        " outs: [d, f]}\n"
        "  b: {cmd: cat -- $(find DEP -type f | sort) raw > o, deps: [DEP, raw], outs: [o]}\n"
    ).replace("DEP", dep)
    return case(
        f"corner-pull-for-a-single-item-{name}",
        flat(REMOTE, write("in", "1\n"), write("raw", "r\n"), write("dvc.yaml", stages)),
        flat(dvc("add", "--quiet", "raw"), dvc("repro", "--quiet"), dvc("push", "--quiet")),
        flat(*map(Delete, (".dvc/cache", "d", "f", "raw", "o"))),
        write("dvc.yaml", stages.replace(" raw > o", " raw raw > o")),
        commit(),
        steps=repro("-s", "b", "--pull"),
        differs=dict.fromkeys(("files", "cache", "dvc says"), differs) if differs else None,
    )


def _one(params: str) -> str:
    return f"stages:\n  s:\n    cmd: echo > o\n    params: [{params}]\n    outs: [o]\n"


def _pulled(name: str, *pushed: str, steps: Actions | Action, lost: Actions) -> Case:
    begin = (REMOTE, write("in", "1\n"), write("dvc.yaml", STAGE), dvc("repro", "--quiet"))
    push = dvc("push", "--quiet", *pushed)
    return case(f"corner-{name}", *begin, push, *lost, commit(), steps=steps)


CASES = (
    case("corner-single-items-in-order", GROUPS, steps=repro("-s", "-f", "end", "prep@b", "t")),
    case("corner-downstream-of-a-group", GROUPS, steps=repro("--downstream", "-f", "prep")),
    case("corner-same-target-twice", GROUPS, steps=run("-n", "e", "-f", "end", "t@x-1", "end")),
    case(
        "corner-allow-missing-without-cache",
        CHAINED,
        Delete("prepared"),
        Delete("model"),
        Delete(".dvc/cache"),
        steps=run("-n", "e", "--allow-missing"),
    ),
    case(
        "corner-ignored-failure-upstream",
        CHAINED,
        Delete("data.txt"),
        steps=run("-n", "e", "--ignore-errors"),
    ),
    case(
        "corner-single-items-after-a-failure",
        CHAINED,
        Delete("prepared"),
        Delete("dvc.lock"),
        steps=repro("-s", "-k", "train", "evaluate", "lone"),
    ),
    _case("texts", _one("s, n, k"), write("params.yaml", TEXTS), steps=run("-n", "e")),
    _case(
        "layout-of-params",
        _one("a, text, z"),
        write("params.yaml", LAID_OUT),
        steps=run("-n", "e", "-S", "b.c=2", "-S", "+new.key=[1, {x: y}]"),
    ),
    _case(
        "vars-of-all-kinds",
        "vars: [v.json, v.toml, v.py, 'v.yaml:k1,k2', {inline: {x: 1}}, {inline: {y: 2}}]\n"
        "stages:\n  s:\n    vars: [{mine: 2}, {inline: {z: 3}}]\n"
        "    cmd: echo ${j} ${t.x} ${P} ${C.x} ${k1} ${k2.z} ${inline} ${mine} > o\n"
        "    outs: [o]\n",
        write("v.json", '{"j": 1.50}'),
        write("v.toml", "[t]\nx = 1\n"),
        write("v.py", "P = 'p'\nclass C:\n    x = 1\n"),
        write("v.yaml", "k1: 1\nk2: {z: 3}\nk3: 4\n"),
        steps=run("-n", "e"),
    ),
    _case(
        "matrix-of-maps",
        "stages:\n  s:\n    matrix: {m: '${maps}', l: [[1, 2], {q: 1}], k: [true, 1.0, null]}\n"
        "    cmd: echo ${key} ${item.m.n} ${item.k} > o_${key}\n    outs: ['o_${key}']\n",
        write("params.yaml", "maps: [{n: 1}, {n: 2}]\n"),
        steps=run("-n", "e", "-S", "maps.1.n=5"),
    ),
    _case(
        "ignored-files-come-and-go",
        "stages:\n  s:\n    cmd: mkdir -p d && echo 1 > d/a && echo 2 > d/b.tmp\n"
        "    deps: [in]\n    outs: [d]\n",
        write("in/a", "1\n"),
        write("in/x.tmp", "1\n"),
        write(".dvcignore", "*.tmp\n!keep.tmp\n"),
        steps=(write("in/y.tmp", ""), run("-n", "a"), write("in/keep.tmp", ""), run("-n", "b")),
    ),
    _case(
        "part-of-an-output",
        "stages:\n  s:\n    cmd: mkdir -p d/e; cp in d/e/x; echo c > d/y\n    deps: [in]\n"
        "    outs: [d]\n  t:\n    cmd: cat d/y > t\n    deps: [d/y]\n    outs: [t]\n",
        write("in", "1\n"),
        steps=(run("-n", "a"), write("in", "2\n"), run("-n", "b")),
    ),
    _case(
        "output-in-a-dependency",
        "stages:\n  s:\n    cmd: cat src/in > src/made\n    deps: [src/in]\n"
        "    outs: [src/made]\n  t:\n    cmd: cat src/* > t\n    deps: [src]\n    outs: [t]\n",
        write("src/in", "1\n"),
        steps=(run("-n", "a"), write("src/in", "2\n"), run("-n", "b")),
    ),
    _case(
        "frozen-in-the-middle",
        "stages:\n  a:\n    cmd: cat in > a\n    deps: [in]\n    outs: [a]\n"
        "  b:\n    cmd: cat a > b\n    deps: [a]\n    outs: [b]\n    frozen: true\n"
        "  c:\n    cmd: cat b > c\n    deps: [b]\n    outs: [c]\n",
        write(".gitignore", "/b\n"),
        write("in", "1\n"),
        steps=(
            write("b", "old\n"),
            repro(),
            write("in", "2\n"),
            run("-n", "e"),
            run("-n", "f", "-f"),
            run("-n", "g", "c", "-s"),
        ),
    ),
    _case(
        "uncached-plots-directory",
        "stages:\n  s:\n    cmd: mkdir -p pl/s; cp in pl/p.csv; echo > pl/s/q; echo 1 > o\n"
        "    deps: [in]\n    outs: [o]\n    plots:\n    - pl: {cache: false, header: false}\n",
        write("in", "1\n"),
        steps=(
            run("-n", "a"),
            Delete("pl"),
            run("-n", "b"),
            write("in", "2\n"),
            run("-n", "c"),
            write("in", "1\n"),
            run("-n", "d"),
        ),
    ),
    _case(
        "folder-that-only-isolated-runs-miss",
        STAGE,
        write("in", "1\n"),
        steps=(
            write("n/dvc.yaml", "stages:\n  z:\n    cmd: echo > z\n    outs: [z]\n"),
            run("-n", "a", "--temp", "-P"),
            run("-n", "b", "-P"),
        ),
    ),
    _pulled(
        "pull-from-the-run-cache",
        "--run-cache",
        lost=(Delete(".dvc/cache"), Delete("o"), Delete("dvc.lock")),
        steps=repro("--pull"),
    ),
    _pulled("pull-forced", lost=(Delete(".dvc/cache"), Delete("o")), steps=repro("--pull", "-f")),
    _pulled(
        "pull-for-an-experiment",
        lost=(Delete(".dvc/cache"), Delete("o")),
        steps=run("-n", "e", "--pull"),
    ),
    _single("that-reads-a-file", "f"),
    _single("that-reads-a-directory", "d"),
    _single("that-reads-part-of-one", "d/a", differs="DVC pulls that part of the output only"),
)
