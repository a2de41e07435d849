"""`-S`: the grammar, the kinds of files, and how a file looks after the edit."""

from __future__ import annotations

from tests.compat.case import Case, case, flat
from tests.support.project import Symlink, commit, run, write

PARAMS = """\
# the head comment
lr: 0.1   # learning rate
train:
    name: "resnet"
    layers: [1, 2, 3]
    deep:   # comment
        x: 1e-3
        o: 010

items:
    -   one
    -   two
nothing: null
long: a long line of words that goes on and on until it is longer than eighty columns wide indeed
"""

FILES = flat(
    write("params.yaml", PARAMS),
    write("p.json", '{\n  "a": {"b": 1},\n  "l": [1, 2],\n  "u": "\\u00e9"\n}\n'),
    write("p.toml", '# head\ntitle = "x"   # title\n[t]\nlr = 1e-3\nl = [1, 2]\n'),
    write(
        "p.py",
        "# head\nLR = 0.1\nNAME = 'x'\nE = 1e-3\nFLAG = True\n\n\nclass T:\n    n = 3\n"
        "    d = {'k': 1}\n    def __init__(self):\n        self.depth = 4\n",
    ),
    write(
        "dvc.yaml",
        """\
        stages:
          s:
            cmd: cat params.yaml p.json p.toml p.py > o
            params:
            - lr
            - train
            - p.json: [a, l]
            - p.toml: [t]
            - p.py: [LR, FLAG, T]
            outs: [o]
        """,
    ),
    commit(),
)


def _set(name: str, *overrides: str) -> Case:
    options = [word for override in overrides for word in ("-S", override)]
    return case(f"set-{name}", FILES, steps=run("-n", "e", *options))


CASES = (
    _set("scalar", "lr=0.2"),
    _set("types", "lr=1e-4", "train.name='a b'", "train.deep.x=null", "nothing=true"),
    _set("text", "train.name=yes", "nothing=a b/c:d$e"),
    _set("empty", "train.name="),
    _set("list", "train.layers=[4,5,[6]]", "items.0=uno"),
    _set("map", "train={name: other, layers: []}"),
    _set("map-replaced", "train.deep=1"),
    _set("add", "+new.key=1", "+train.deep.y=2"),
    _set("add-or-change", "++lr=3", "++fresh=[1]"),
    _set("delete", "~train.name", "~items"),
    _set("delete-null", "~nothing"),
    _set("delete-if", "~lr=0.1"),
    _set("interpolated", "nothing=${lr}"),
    _set("casts", "lr=str(1)", "nothing=float('2')"),
    _set("number-spellings", "lr=1_000", "nothing=.5", "train.name=0x10"),
    _set("json", "p.json:a.b=2", "p.json:+a.c=[1, x]"),
    _set("toml", "p.toml:t.lr=0.01", "p.toml:title=new"),
    _set("python", "p.py:LR=0.5", "p.py:T.n=4", "p.py:FLAG=false"),
    _set("python-kept", "p.py:NAME=y", "p.py:E=5", "p.py:T.depth=9"),
    _set("several-files", "lr=9", "p.json:l=[3]", "p.toml:t.l=[]", "p.py:LR=9"),
    _set("new-file", "new.yaml:+a.b=1"),
    _set(
        "one-file-by-several-names",
        "params.yaml:lr=3",
        "./params.yaml:train.name=x",
        ".//params.yaml:nothing=5",
        "p.json:a.b=2",
        "./p.json:+a.c=3",
    ),
    _set("same-value", "lr=0.1"),
    _set("unknown-key", "nosuch=1"),
    _set("unparsable", "lr=[1"),
    case(
        "set-keeps-yaml-oddities",
        write(
            "params.yaml",
            """\
            ---
            base: &base {a: 1, b: 2}
            merged:
              <<: *base
              b: 3
            list: &l
              - 1
              - x: 1
                y: 2
            again: *l
            tilde: ~
            quoted: 'single'
            double: "dou\\tble"
            text: |
              two
              lines
            hex: 0x1F
            lr: 1
            ...
            """,
        ),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat params.yaml > o\n    params: [lr]\n    outs: [o]\n",
        ),
        commit(),
        steps=run("-n", "e", "-S", "lr=2"),
    ),
    case(
        "set-crlf",
        write("params.yaml", "a: 1\r\nlr: 1 # c\r\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat params.yaml > o\n    params: [lr]\n    outs: [o]\n",
        ),
        commit(),
        steps=run("-n", "e", "-S", "lr=2"),
    ),
    case(
        "set-templated-command",
        write("params.yaml", "lr: 1\nmodel: {name: m, size: 2}\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: echo ${model} ${lr} > ${model.name}.txt\n"
            "    outs: ['${model.name}.txt']\n",
        ),
        commit(),
        steps=run("-n", "e", "-S", "model.size=3", "-S", "model.name=other"),
    ),
    case(
        "set-untracked-file",
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat params.yaml > o\n    params: [lr]\n    outs: [o]\n",
        ),
        commit(),
        steps=(write("params.yaml", "lr: 1\n"), run("-n", "e", "-S", "lr=2")),
    ),
    case(
        "set-from-sub-directory",
        FILES,
        write("sub/params.yaml", "lr: 1\n"),
        write(
            "sub/dvc.yaml",
            "stages:\n  s:\n    cmd: cp params.yaml o\n    params: [lr]\n    outs: [o]\n",
        ),
        commit(),
        steps=run("-n", "e", "-S", "lr=5", "-S", "../p.json:a.b=7", cwd="sub"),
    ),
    case(
        "set-behind-a-link",
        write("base.yaml", "lr: 1\n"),
        Symlink("params.yaml", "base.yaml"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat params.yaml > o\n    params: [lr]\n    outs: [o]\n",
        ),
        commit(),
        steps=(run("-n", "a", "-S", "lr=2"), run("-n", "b", "--temp", "-S", "lr=3")),
    ),
    case(
        "set-behind-a-link-and-before-it",
        write("base.yaml", "lr: 1\nmomentum: 1\n"),
        Symlink("params.yaml", "base.yaml"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat params.yaml > o\n    params: [lr, momentum]\n"
            "    outs: [o]\n",
        ),
        commit(),
        steps=(
            run("-n", "a", "-S", "lr=2", "-S", "base.yaml:momentum=3"),
            run("-n", "b", "--temp", "-S", "base.yaml:lr=4", "-S", "momentum=5"),
        ),
    ),
    case(
        "hydra",
        write(".dvc/config", "[hydra]\n    enabled = True\n"),
        write("conf/config.yaml", "defaults:\n  - db: my\n  - _self_\nlr: 1\nderived: ${lr}\n"),
        write("conf/db/my.yaml", "name: my\nport: 1\n"),
        write("conf/db/pg.yaml", "name: pg\nport: 2\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat params.yaml > o\n    params: [lr, db]\n    outs: [o]\n",
        ),
        commit(),
        steps=(
            run("-n", "a"),
            run("-n", "b", "-S", "db=pg", "-S", "lr=3", "-S", "+db.extra=[1,a]"),
        ),
    ),
    case(
        "hydra-off-for-this-run",
        write(
            ".dvc/config",
            "[hydra]\n    enabled = True\n    config_name = other\n    config_dir = c\n",
        ),
        write("c/other.yaml", "lr: 1\n"),
        write("params.yaml", "lr: 0 # kept\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat params.yaml > o\n    params: [lr]\n    outs: [o]\n",
        ),
        commit(),
        steps=(run("-n", "a", "--no-hydra"), run("-n", "b")),
    ),
)
