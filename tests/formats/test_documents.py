"""Parameter files hold what DVC finds in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exprun.errors import ParamsError
from exprun.formats.documents import load_params
from exprun.formats.lines import line_of
from tests.formats.test_yaml12 import shape

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "p.yaml": "a: 1\nb: {c: [x, yes]}\n",
    "empty.yaml": "",
    "false.yaml": "false\n",
    "p.yml": "a: 1e3\n",
    "P.YAML": "a: 1\n",
    "no_suffix": "a: 1\n",
    "p.txt": "a: 1\n",
    "p.json": '{"a": 1, "b": [1.50, true, null], "a": 2}',
    "p.JSON": '{"a": 1e5, "é": "\\u00e9"}',
    "empty.json": "{}",
    "nothing.json": "null",
    "p.toml": "a = 1\n[b]\nc = [1.5, true, 'x']\nd = {e = 2020-01-01}\n[[f]]\ng = 0x1F\n[[f]]\n",
    "empty.toml": "",
    "p.py": '''\
"""doc"""
import os
A = 1
B: float = 1e-3
C: int
D = E = 2
F, G = 1, 2
H = -1
I = (1, "a")
J = {1, 2}
K = [1, [2]]
L = {"a": {"b": 1}, 2: None}
M = os.getcwd()
N = 1 + 2j
O = "a" "b"
P = f"{A}"
Q = [A]
R = {"a": A}
S = {**L}
T.x = 1
self.y = 2
U[0] = 1
V = A if A else 1
W = True
X = b"x"
Y = set()
def f():
    Z = 1
if True:
    AA = 1
class AB:
    """doc"""
    a = 1
    b: str = "x"
    class c:
        d = [1]
    def __init__(self, e=1):
        self.f = 2
        self.g: int = 3
        h = 4
        other.i = 5
        self.j = self.k = 6
        class l:
            m = 7
    def other(self):
        self.n = 8
def __init__(self):
    self.o = 9
''',
    "empty.py": "",
}

BROKEN = {
    "x.yaml": ("a: 1\nb: [\n", 3),
    "x.json": ('{"a": 1,\n "b": }', 2),
    "x.toml": ("a = 1\nb = \n", 2),
    "x.py": ("A = 1\nB = (\n", 2),
    "list.yaml": ("- 1\n", None),
    "text.json": ('"x"', None),
    "number.json": ("1", None),
    "bytes.yaml": ("a: \x01", None),
    "null.py": ("A = 1\x00", None),
    "deep.json": ("[" * 100_000 + "]" * 100_000, None),
    "nested.json": ('{"a":' + "[" * 300 + "]" * 300 + "}", None),
    "deep.py": ("A = " + "(" * 5_000 + ")" * 5_000, None),
    "deep.toml": ("a = " + "[" * 5_000 + "]" * 5_000, None),
    "dotted.toml": ("a." * 200_000 + "b = 1", None),
    "dotted_table.toml": ("[" + "a . " * 100_000 + "b]", None),
    "words.toml": ("a" * 400_000, None),
    "large.toml": ("a = [" + "1," * 300_000 + "]", None),
    "large.py": ("A = [" + "1," * 300_000 + "]", None),
    "long.json": ("1" * 5_000, None),
    "large.json": ('{"a": 1}' + " " * 10_000_000, None),
}


@pytest.mark.parametrize("name", FILES)
def test_same_as_dvc(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FILES[name])
    assert shape(load_params(FILES[name].encode(), name=name)) == shape(_dvc(tmp_path / name))


def _dvc(path: Path) -> Any:
    from dvc.fs import LocalFileSystem
    from dvc.utils.serialize import load_path

    return load_path(str(path), LocalFileSystem())


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(name: str) -> None:
    text, line = BROKEN[name]
    with pytest.raises(ParamsError) as caught:
        load_params(text.encode(), name=f"d/{name}")
    where = caught.value.where or ""
    if line is not None:
        assert where == f"d/{name}:{line}"
    assert where.startswith(f"d/{name}")


def test_lines_are_found_by_path() -> None:
    text = "a: 1\nb:\n- x\n- c: 2\n  d: [1,\n    2]\n3: e\n"
    assert line_of(text, ()) == 1
    assert line_of(text, ("b",)) == 2
    assert line_of(text, ("b", 1, "d")) == 5
    assert line_of(text, ("b", 1, "d", 1)) == 6
    assert line_of(text, ("b", 1, "nope", "x")) == 4
    assert line_of(text, ("b", 7)) == 2
    assert line_of(text, (3,)) == 7
    assert line_of("a: [", ("a",)) == 1
    assert line_of("", ("a",)) == 1
