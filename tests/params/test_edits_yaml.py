"""YAML files after overrides, byte for byte against DVC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exprun.errors import ParamsError, UsageError
from exprun.params import edits
from exprun.params.pairs import parse_pairs
from exprun.params.parsing import parse_override
from tests.params.oracle import Refused, edited_by_dvc, edited_by_exprun

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = b"""\
# top
lr: 0.1   # learning rate
name: resnet

model:
  # how deep
  depth: 3
  layers:
  - 1
  - 2
  opt:
    kind: adam
    eps: 1e-8
flag: true
nothing:
"""

STYLED = b"""\
%YAML 1.2
---
lr:   1e-3   # c
name: "resnet"
single: 'x y'
layers: [1, 2, 3]  # dropped?
flow: {a: 1, b: [1, 2]}
deep:   # comment
    a: ~
    b: null
    c: 0x1F
    d: 010
    e: 1_000
    f: .5
    g: 1.
    h: +1
long: a very long sentence that goes on and on until it is longer than eighty columns for sure
block: |
  line 1
    line 2
folded: >
  folded
  text
date: 2020-01-01
when: 2020-01-01 10:00:00
yes: no
on: off
"quoted key": 1
1: one
2.5: two
true: three
list:
  - a   # in a list
  # between
  - b: 1
    c: 2
  -
    - x
    - y
# after the list
end: 1
...
"""

ANCHORS = b"""\
base: &base
  x: 1
  y: [1, 2]
child:
  <<: *base
  z: 3
same: *base
items: &items
- 1
- 2
again: *items
word: &w hello
echo: *w
"""

INTERPOLATED = b"""\
a: 1
b: ${a}
c: x-${a}-y
n:
  d: ${.e}
  e: ${..a}
l: ['${a}', 2]
"""

FILES: dict[str, bytes | None] = {
    "plain": PLAIN,
    "styled": STYLED,
    "anchors": ANCHORS,
    "interpolated": INTERPOLATED,
    "missing value": b"a: ???\nb: 1\n",
    "absent": None,
    "empty": b"",
    "only a comment": b"# nothing\n",
    "null": b"null\n",
    "list": b"- 1\n- 2\n",
    "text": b"hello\n",
    "crlf": b"a: 1\r\nb:\r\n  c: 2 # x\r\n",
    "no newline": b"a: 1\nb: x",
    "comment, no newline": b"a: 1 # x",
    "tabs in a comment": b"a: 1 #\tx\n",
    "bom": b"\xef\xbb\xbfa: 1\n",
    "latin-1": b"a: \xe9\n",
    "unicode": "a: é # ü\nß: 1\nb: 日本\n".encode(),
    "broken": b"a: [1\nb: 2\n",
    "duplicate": b"a: 1\na: 2\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "indented list": b"a:\n  - 1\n  - 2\nb: 1\n",
    "list, blank, key": b"a:\n- 1\n\n# c\nb: 1\n",
    "four spaces": b"a:\n    b: 1\n    c:\n        d: 2\n",
    "blank first": b"\n\na: 1\n",
    "minus zero": b"a: -0\nb: 1\n",
    "many digits": b"a: 123456789.123456789\nb: 1\n",
    "capital booleans": b"a: True\nb: NULL\n",
    "dollar": b"a: $x\nb: '$${x}'\n",
    "long word": b"a: " + b"x" * 200 + b"\nb: 1\n",
    "null key": b"~: 1\na: 2\n",
    "list of maps": b"l:\n- a: 1\n  b: 2 # c\n- a: 3\nz: 1\n",
    "set": b"s: !!set {a, b}\na: 1\n",
    "ordered": b"s: !!omap\n- a: 1\n- b: 2\na: 1\n",
    "aliased map": b"a: &x\n  v: 1\nb: *x\n",
}

CASES: list[tuple[str, list[str]]] = [
    ("plain", ["lr=0.2"]),
    ("plain", ["lr=10"]),
    ("plain", ["lr=a_word_that_pushes_the_comment"]),
    ("plain", ["lr=1e-4"]),
    ("plain", ["lr=1e20"]),
    ("plain", ["lr=1e16"]),
    ("plain", ["lr=.5"]),
    ("plain", ["lr=1."]),
    ("plain", ["lr=inf"]),
    ("plain", ["lr=-inf"]),
    ("plain", ["lr=nan"]),
    ("plain", ["lr=true"]),
    ("plain", ["lr=False"]),
    ("plain", ["lr=null"]),
    ("plain", ["lr="]),
    ("plain", ["lr=yes"]),
    ("plain", ["lr=None"]),
    ("plain", ["lr=~"]),
    ("plain", ["lr=010"]),
    ("plain", ["lr=0x10"]),
    ("plain", ["lr=2020-01-01"]),
    ("plain", ["lr=1_000"]),
    ("plain", ["lr=12:30"]),
    ("plain", ["lr=a:b"]),
    ("plain", ["lr=http://x/y?z"]),
    ("plain", ["lr=a b c"]),
    ("plain", ["lr=' padded '"]),
    ("plain", ["lr='true'"]),
    ("plain", ["lr='1'"]),
    ("plain", ['lr="it\'s"']),
    ("plain", ["lr='#x'"]),
    ("plain", ["lr='a: b'"]),
    ("plain", ["lr='- a'"]),
    ("plain", ["lr='multi\\nline'"]),
    ("plain", ["lr='real\nnewline'"]),
    ("plain", ["lr=é"]),
    ("plain", ["lr='é'"]),
    ("plain", ["lr=a\\,b"]),
    ("plain", ["lr=a=b"]),
    ("plain", ["lr='a=b'"]),
    ("plain", ["lr=int(3.7)"]),
    ("plain", ["lr=str(3)"]),
    ("plain", ["lr=float(3)"]),
    ("plain", ["lr=bool(1)"]),
    ("plain", ["lr=[]"]),
    ("plain", ["lr={}"]),
    ("plain", ["lr=[1,2,[3,x]]"]),
    ("plain", ["lr={a: 1, b: {c: [1]}}"]),
    ("plain", ["lr=sort(3,1,2)"]),
    ("plain", ["lr=1,2"]),
    ("plain", ["lr"]),
    ("plain", ["lr==1"]),
    ("plain", ["=1"]),
    ("plain", ["+=1"]),
    ("plain", ["lr=1", "lr=2"]),
    ("plain", ["lr=1", "name=x", "model.depth=9", "flag=false"]),
    ("plain", ["nope=1"]),
    ("plain", ["model.nope=1"]),
    ("plain", ["nope.deep=1"]),
    ("plain", ["lr.sub=1"]),
    ("plain", ["+lr.sub=1"]),
    ("plain", ["++lr.sub=1"]),
    ("plain", ["+nope=1"]),
    ("plain", ["+model.nope=1"]),
    ("plain", ["+a.b.c=1"]),
    ("plain", ["++a.b.c=1"]),
    ("plain", ["+lr=1"]),
    ("plain", ["++lr=1"]),
    ("plain", ["+nothing=1"]),
    ("plain", ["nothing=1"]),
    ("plain", ["nothing.x=1"]),
    ("plain", ["+nothing.x=1"]),
    ("plain", ["~lr"]),
    ("plain", ["~lr=0.1"]),
    ("plain", ["~lr=0.2"]),
    ("plain", ["~nope"]),
    ("plain", ["~nothing"]),
    ("plain", ["~model"]),
    ("plain", ["~model.opt"]),
    ("plain", ["~model.layers"]),
    ("plain", ["~model.layers.0"]),
    ("plain", ["~model.opt.kind", "+model.opt.kind=sgd"]),
    ("plain", ["model.depth=null"]),
    ("plain", ["model.layers.0=5"]),
    ("plain", ["model.layers.1=word"]),
    ("plain", ["model.layers.2=5"]),
    ("plain", ["+model.layers.2=5"]),
    ("plain", ["model.layers.x=5"]),
    ("plain", ["model.layers[0]=5"]),
    ("plain", ["model.layers=[7]"]),
    ("plain", ["model.layers=7"]),
    ("plain", ["model.layers=[]"]),
    ("plain", ["model.layers.0={a: 1}"]),
    ("plain", ["model={depth: 5}"]),
    ("plain", ["model={new: 5}"]),
    ("plain", ["+model={new: 5}"]),
    ("plain", ["++model={new: 5, opt: {eps: 2}}"]),
    ("plain", ["model=1"]),
    ("plain", ["model={}"]),
    ("plain", ["model.opt={kind: x}", "model.opt.eps=1"]),
    ("plain", ["lr=${model.depth}"]),
    ("plain", ["lr=x${model.depth}y"]),
    ("plain", ["lr=${nope}"]),
    ("plain", ["lr=${lr}"]),
    ("plain", ["lr=${model.layers}"]),
    ("plain", ["lr=${model}"]),
    ("plain", ["lr='${model.depth}'"]),
    ("plain", ["lr='???'"]),
    ("plain", ["lr=$x"]),
    ("plain", ["db@pkg=1"]),
    ("plain", ["db/x=1"]),
    ("plain", ["+db/x=1"]),
    ("plain", ["$lr=1"]),
    ("plain", ["+$lr=1"]),
    ("plain", ["+_x=1"]),
    ("plain", ["+__class__=1"]),
    ("plain", ["+keys=1", "keys=2"]),
    ("plain", ["+model.items=1", "model.items=2"]),
    ("plain", ["hydra.x=1"]),
    ("plain", []),
    ("styled", ["lr=2e-3"]),
    ("styled", ["name='other name'"]),
    ("styled", ["deep.c=5"]),
    ("styled", ["deep.a=1"]),
    ("styled", ["flow.a=2"]),
    ("styled", ["flow.b.0=2"]),
    ("styled", ["flow={a: 9}"]),
    ("styled", ["+flow.c=[1]"]),
    ("styled", ["block='a\nb\n'"]),
    ("styled", ["folded=x"]),
    ("styled", ["long=x"]),
    ("styled", ["date=x"]),
    ("styled", ["yes=1"]),
    ("styled", ["on=1"]),
    ("styled", ["1=x"]),
    ("styled", ["+x.1=5"]),
    ("styled", ["list.0=z"]),
    ("styled", ["list.1.b=z"]),
    ("styled", ["list.2.0=z"]),
    ("styled", ["list.1={b: 8}"]),
    ("styled", ["~list"]),
    ("styled", ["~end"]),
    ("styled", ["layers=[a, b]"]),
    ("styled", []),
    ("anchors", ["base.x=5"]),
    ("anchors", ["child.x=5"]),
    ("anchors", ["child.z=5"]),
    ("anchors", ["same.x=5"]),
    ("anchors", ["items.0=5"]),
    ("anchors", ["~base"]),
    ("anchors", ["~child.x"]),
    ("anchors", ["word=bye"]),
    ("anchors", []),
    ("interpolated", ["a=2"]),
    ("interpolated", ["b=2"]),
    ("interpolated", ["~a"]),
    ("interpolated", ["n.e=7"]),
    ("interpolated", []),
    ("missing value", ["b=2"]),
    ("missing value", ["a=2"]),
    ("missing value", ["~a"]),
    ("missing value", []),
    ("absent", ["a=1"]),
    ("absent", ["+a=1"]),
    ("absent", ["++a.b=[1]"]),
    ("absent", ["+a='x'", "+b=1"]),
    ("absent", []),
    ("only a comment", ["+a=1"]),
    ("empty", ["+a=1"]),
    ("empty", ["a=1"]),
    ("empty", []),
    ("null", ["+a=1"]),
    ("list", ["0=5"]),
    ("list", ["+a=1"]),
    ("text", ["+a=1"]),
    ("text", ["~hello"]),
    ("ordered", ["s.a=3"]),
    ("list of maps", ["l.0.b=9"]),
    ("list of maps", ["+l.0.n=9"]),
    ("aliased map", ["a.v=2"]),
    ("aliased map", ["b.v=2"]),
    ("no newline", ["b=y"]),
    ("crlf", ["b.c=3"]),
    ("four spaces", ["a.c.d=3"]),
    ("duplicate", []),
    ("broken", []),
    ("list", []),
    ("text", []),
]
CASES += [(file, ["a=5"]) for file in FILES if file not in ("plain", "styled")]


@pytest.mark.parametrize(("file", "overrides"), CASES)
def test_the_bytes_are_dvcs(file: str, overrides: list[str], tmp_path: Path) -> None:
    data = FILES[file]
    expected = edited_by_dvc(tmp_path / "params.yaml", data, overrides)
    assert edited_by_exprun("params.yaml", data, overrides) == expected


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        (
            "model.nope=1",
            "Could not override 'model.nope': p.yaml has no such parameter\n  model.nope=1",
            "to append to it use +model.nope=1",
        ),
        (
            "+lr=1",
            "Could not append: an item is already at 'lr'\n  +lr=1",
            "to change it use lr=1; to add or change it use ++lr=1",
        ),
        ("~nope", "Could not delete: 'nope' does not exist\n  ~nope", None),
        ("model.layers.7=1", "error merging it: list index out of range\n  model.layers.7=1", None),
        ("lr=1,2", "a sweep is not one value\n  lr=1,2", None),
        ("lr=${nope}", "Interpolation key 'nope' not found\n  lr=${nope}", None),
    ],
)
def test_a_misfit_says_what_to_type(override: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        edits.apply_overrides(PLAIN, "p.yaml", [parse_override(override)])
    assert caught.value.message == f"Invalid `--set-param` value: {message}"
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("name", "override"),
    [("p.toml", "a=null"), ("p.json", "+d=2020-01-01"), ("p.py", "a='('")],
)
def test_a_value_the_format_cannot_hold_is_a_usage_error(name: str, override: str) -> None:
    overrides = [parse_override(override)]
    if name == "p.json":
        overrides = list(parse_pairs([f"{name}:{override[1:]}"])[name])
    data = {"p.toml": b"a = 1\n", "p.json": b"{}", "p.py": b"a = 1\n"}[name]
    with pytest.raises(UsageError, match="cannot hold it"):
        edits.apply_overrides(data, name, overrides)


def test_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ParamsError, match="aliases"):
        edits.apply_overrides("\n".join(lines).encode(), "p.yaml", [parse_override("+b=1")])


def test_deep_nesting_is_refused() -> None:
    for name in ("p.yaml", "p.json"):
        with pytest.raises(ParamsError, match="nested"):
            edits.apply_overrides(
                b'{"a":' * 2000 + b"1" + b"}" * 2000, name, [parse_override("+b=1")]
            )


def test_the_table_is_not_all_refusals() -> None:
    refused = sum(
        isinstance(edited_by_exprun("p.yaml", FILES[file], overrides), Refused)
        for file, overrides in CASES
    )
    assert 40 < refused < len(CASES) / 2
