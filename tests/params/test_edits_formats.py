"""JSON, TOML and Python files after overrides, byte for byte against DVC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exprun.errors import ParamsError
from exprun.params import edits
from exprun.params.parsing import parse_override
from tests.params.oracle import edited_by_dvc, edited_by_exprun

if TYPE_CHECKING:
    from pathlib import Path

JSON = """\
{
  "lr": 0.10, "big": 123456789012345678901234567890, "name": "é",
  "n": {"a": [1, {"b": null}], "t": true}, "e": 1e-7, "exp": 1E5
}
"""
TOML = """\
# top
lr = 0.10   # rate
name = 'x'
hex = 0x1F
flag = true
when = 2020-01-01T10:00:00Z
list = [1, 2,  # inside
  3]
flags = [true, false]
inline = {a = 1, b = [1, 2]}

[model]
depth = 3 # deep

[model.opt]
kind = "adam"

[[runs]]
id = 1
[[runs]]
id = 2

[dotted]
a.b.c = 1
"""
PYTHON = """\
# comment
import os

LR = 0.1  # rate
N: int = 3
NAME = "resnet"
SMALL = 1e-3
FLAG = True
LIST = [1, 2]
TUPLE = (1, 2)
SET = {1, 2}
NOTHING = None
D = {"a": 1, "b": "x"}
A = B = 2
EXPR = 1 + x
NEG = -1
x, y = 1, 2
obj.attr = 4
untyped: int
if True:
    HIDDEN = 1
TWICE = 1; SAME = 1


class Train:
    lr = 0.5
    opts = {"k": 1}

    class Inner:
        z = 1

    def __init__(self):
        self.depth = 3
        local = 5
        self.a.b = 6

    def other(self):
        self.not_me = 3


def __init__():
    self.top = 9
"""

FILES: dict[str, str | None] = {
    "j.json": JSON,
    "list.json": "[1, 2]",
    "empty.json": "",
    "null.json": "null",
    "broken.json": '{"a": 1,}',
    "nan.json": '{"a": NaN, "b": Infinity}',
    "twice.json": '{"a": 1, "a": 2}',
    "bom.json": '\ufeff{"a": 1}',
    "interpolated.json": '{"a": 1, "b": "${a}", "c": "\\u0024{a}"}',
    "missing.json": '{"a": "???"}',
    "UPPER.JSON": '{"a": 1}',
    "absent.json": None,
    "t.toml": TOML,
    "crlf.toml": "a = 1\r\n[b]\r\nc = 2\r\n",
    "empty.toml": "",
    "broken.toml": "a = \n",
    "interpolated.toml": "a = 1\nb = '${a}'\n",
    "proxy.toml": "[a.x]\nv = 1\n[b]\nw = 1\n[a.y]\nv = 2\n",
    "absent.toml": None,
    "p.py": PYTHON,
    "crlf.py": "A = 1\r\nB = 'x'\r\n",
    "broken.py": "A = (\n",
    "nested.py": "D = {'a': {'b': 1}}\nE = 1\n",
    "dollar.py": "A = 1\nB = '${A}'  # ${A}\n",
    "dangling.py": "A = 1\n# ${nope}\n",
    "unhashable.py": "A = 1\nS = {[1]: 2}\n",
    "starred.py": "A = 1\nD = {**x, 'a': 1}\nL = [*x]\n",
    "formfeed.py": "A = 1\n\x0cB = 2\nC = 3\n",
    "empty.py": "",
    "null.py": "A = 1\x00\n",
    "semicolons.py": "A = 1; B = 12; C = 1\n",
    "same.py": "A = 1  # was = 1, = 10\n",
    "absent.py": None,
}

CASES: list[tuple[str, list[str]]] = [
    ("j.json", ["lr=0.2"]),
    ("j.json", ["lr=1e-4"]),
    ("j.json", ["lr=inf"]),
    ("j.json", ["lr=null"]),
    ("j.json", ["name=x"]),
    ("j.json", ["name='ü\U0001f600'"]),
    ("j.json", ["n.a.0=7"]),
    ("j.json", ["n.a.1.b=7"]),
    ("j.json", ["n={t: false}"]),
    ("j.json", ["n=1"]),
    ("j.json", ["+n.new=[1,{a: b}]"]),
    ("j.json", ["~n.a"]),
    ("j.json", ["nope=1"]),
    ("j.json", ["~e", "+e=2"]),
    ("j.json", ["lr=${n.a}"]),
    ("j.json", []),
    ("t.toml", ["lr=0.2"]),
    ("t.toml", ["lr=word"]),
    ("t.toml", ["lr=null"]),
    ("t.toml", ["lr=1e-7"]),
    ("t.toml", ["lr=nan"]),
    ("t.toml", ["name='it''s'"]),
    ("t.toml", ['name="a\'b"']),
    ("t.toml", ["hex=5"]),
    ("t.toml", ["flag=false"]),
    ("t.toml", ["when=now"]),
    ("t.toml", ["list.0=9"]),
    ("t.toml", ["list=[a,b]"]),
    ("t.toml", ["flags.0=false"]),
    ("t.toml", ["inline.a=2"]),
    ("t.toml", ["+inline.z=2"]),
    ("t.toml", ["inline={a: 5}"]),
    ("t.toml", ["model.depth=4"]),
    ("t.toml", ["model.opt.kind=sgd"]),
    ("t.toml", ["+model.opt.eps=1"]),
    ("t.toml", ["+model.new.deep=1"]),
    ("t.toml", ["+fresh={a: {b: 1}}"]),
    ("t.toml", ["+fresh=1"]),
    ("t.toml", ["runs.0.id=7"]),
    ("t.toml", ["~runs"]),
    ("t.toml", ["~model"]),
    ("t.toml", ["~lr"]),
    ("t.toml", ["dotted.a.b.c=2"]),
    ("t.toml", ["model=1"]),
    ("t.toml", ["nope=1"]),
    ("t.toml", ["lr=${model.depth}"]),
    ("t.toml", []),
    ("proxy.toml", ["a.x.v=5"]),
    ("proxy.toml", ["+a.z=5"]),
    ("proxy.toml", ["~a.y"]),
    ("p.py", ["LR=0.2"]),
    ("p.py", ["N=4"]),
    ("p.py", ["NAME=vgg"]),
    ("p.py", ["SMALL=1"]),
    ("p.py", ["FLAG=false"]),
    ("p.py", ["LIST=[3]"]),
    ("p.py", ["LIST.0=3"]),
    ("p.py", ["TUPLE=[3]"]),
    ("p.py", ["TUPLE.0=3"]),
    ("p.py", ["SET=1"]),
    ("p.py", ["NOTHING=1"]),
    ("p.py", ["NOTHING=null"]),
    ("p.py", ["D.a=2"]),
    ("p.py", ["D=1"]),
    ("p.py", ["A=3"]),
    ("p.py", ["NEG=2"]),
    ("p.py", ["x=3"]),
    ("p.py", ["attr=3"]),
    ("p.py", ["HIDDEN=3"]),
    ("p.py", ["TWICE=3"]),
    ("p.py", ["Train.lr=1"]),
    ("p.py", ["Train.depth=4"]),
    ("p.py", ["Train.Inner.z=4"]),
    ("p.py", ["Train.opts.k=4"]),
    ("p.py", ["Train.not_me=4"]),
    ("p.py", ["Train=1"]),
    ("p.py", ["top=1"]),
    ("p.py", ["+NEW=1"]),
    ("p.py", ["~LR"]),
    ("p.py", ["LR=null"]),
    ("p.py", ["LR=word"]),
    ("p.py", ["LR='a b'"]),
    ("p.py", ["LR='('"]),
    ("p.py", ["LR={a: 1}"]),
    ("p.py", ["LR=${N}"]),
    ("p.py", []),
    ("crlf.py", ["A=2"]),
    ("nested.py", ["E=2"]),
    ("dollar.py", ["A=2"]),
    ("dangling.py", ["A=2"]),
    ("unhashable.py", ["A=2"]),
    ("starred.py", ["A=2"]),
    ("formfeed.py", ["A=9"]),
    ("formfeed.py", ["C=9"]),
    ("null.py", ["A=2"]),
    ("semicolons.py", ["A=2"]),
    ("same.py", ["A=2"]),
]
CASES += [
    (file, [override])
    for file in FILES
    if file not in ("j.json", "t.toml", "p.py")
    for override in ("a=5", "+a=5", "++z.y=5")
]


@pytest.mark.parametrize(("file", "overrides"), CASES)
def test_the_bytes_are_dvcs(file: str, overrides: list[str], tmp_path: Path) -> None:
    text = FILES[file]
    data = None if text is None else text.encode()
    expected = edited_by_dvc(tmp_path / file, data, overrides)
    assert edited_by_exprun(file, data, overrides) == expected


@pytest.mark.parametrize(
    ("name", "data", "where"),
    [
        ("p.json", b'{"a": 1,\n]', "p.json:2"),
        ("p.toml", b"a = 1\nb = \n", "p.toml:2"),
        ("p.py", b"a = 1\nb = (\n", "p.py:2"),
        ("sub/p.yaml", b"a: 1\nb: [\n", "sub/p.yaml:3"),
        ("p.yaml", b"a: 1\nb: 2\na: 3\n", "p.yaml:3"),
        ("p.yaml", b"a: \xff\n", "p.yaml:1"),
        ("p.yaml", b"- 1\n", "p.yaml:1"),
        ("p.yaml", b"a: ???\n", "p.yaml:1"),
        ("p.yaml", b"a:\n  c:\n  - 1\n  - x${nope}\n", "p.yaml:4"),
        ("p.json", b'{"a": "${nope}"}', "p.json"),
        ("p.py", None, "p.py"),
    ],
)
def test_a_bad_file_is_named(name: str, data: bytes | None, where: str) -> None:
    with pytest.raises(ParamsError) as caught:
        edits.apply_overrides(data, name, [parse_override("++b=1")])
    assert caught.value.where == where
