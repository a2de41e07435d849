"""YAML means here what ruamel.yaml makes of it, because that is what DVC reads with."""

# ruff: noqa: E501 - the tables are easier to read with one document on a line

from __future__ import annotations

import json
import math
import time
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import ParamsError, ProjectError
from exprun.formats import yaml12
from exprun.formats.text import Limits
from exprun.formats.yaml12 import load_yaml

REFUSED = "refused"

SCALARS = r"""
true True TRUE tRUE false yes Yes no on off y n null Null NULL nULL ~ 0 00 08 010 0o17 0o8 0o 0x1F 0X1F
0x 0b11 0b2 0b 1_000 _1 1_ 0_ -0 +1 -1 + - -_ 1.5 1.50 1. .5 -.5 . ._ 1._ 1e3 1E3 1e+3 1e-3 1.e3 .5e1
.5e+1 1e 1e+ e1 1_0.5 -1.5e-3 +.5 0.0 -0.0 1e400 .inf .Inf .INF .iNF -.inf +.inf .nan .NaN -.nan 12:30
1:30:45 12:30:45.5 2020-01-01 2020-1-1 2020-13-01 2020-01-01T10:00:00 2020-01-01t1:00:00Z
2020-01-01T10:00:00.5+02:00 2020-01-01T10:00:00.1234567-3 2020-01-01T10:00:00.9999996 a:b http://x =
<< <<a a=b 1.2.3 v1 'x' "a\tb" "\u00e9" "\/" '' "" ? a- -a a#b 0.1.2 123456789012345678901234567890 ...
""".split()

DOCUMENTS = {
    "empty": "",
    "comment": "# x\n",
    "block map": "a: 1\nb:\n  c: [1, 2]\n  d: {e: f}\n",
    "spaced timestamp": "a: 2020-01-01 10:00:00\nb: 2020-01-01 10:00:00 Z\nc: 2020-01-01  1:00:00.1 +2\n",
    "merge": "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3, z: 4}\n",
    "merge after": "a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a}\n",
    "merge list": "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {z: 0, <<: [*a, *b]}\n",
    "merge of a merge": "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}\nd: {<<: *b}\n",
    "merge twice": "a: &a {x: 1}\nb: {<<: *a, <<: *a}\n",
    "merge of nothing twice": "b: {<<: {}, <<: {}, a: 1}\n",
    "merge hides repetition": "a: &a {x: 1}\nb: {<<: *a, y: 1, y: 2}\n",
    "merge of nothing does not": "b: {<<: {}, y: 1, y: 2}\n",
    "merge of text": "b: {<<: x}\n",
    "merge of a list of text": "b: {<<: [x]}\n",
    "merge of null": "b: {<<: }\n",
    "merge in quotes": "b: {'<<': x}\n",
    "merge as a value": "b: <<\n",
    "equals as a key": "b: {=: x}\n",
    "duplicate": "a: 1\na: 2\n",
    "duplicate by value": "1: a\ntrue: b\n",
    "duplicate float": "1: a\n1.0: b\n",
    "duplicate null": "~: a\n: b\n",
    "duplicate inside": "a: {b: 1, b: 1}\n",
    "list as a key": "{[1, 2]: a}\n",
    "map as a key": "{{a: 1}: a}\n",
    "list of maps as a key": "{[{a: 1}]: a}\n",
    "anchor twice": "a: &x 1\nb: &x 2\nc: *x\n",
    "unknown alias": "a: *x\n",
    "shared": "a: &a [1]\nb: [*a, *a]\n",
    "tags": "[!!str 1, !!int '0x1', !!float '1', !!bool 'yes', !!null 'x', !!binary 'YQ==', !!timestamp '2020-01-01']",
    "set": "!!set {a, b}\n",
    "omap": "!!omap [a: 1, b: 2]\n",
    "pairs": "!!pairs [a: 1, a: 2]\n",
    "bad omap": "!!omap [a]\n",
    "bad int": "!!int x\n",
    "bad bool": "!!bool x\n",
    "bad timestamp": "!!timestamp x\n",
    "own tag": "!x y\n",
    "own tag on a map": "a: !x {}\n",
    "own tag on a list": "a: !x []\n",
    "python tag": "!!python/name:os.system ''\n",
    "python object": "!!python/object/apply:os.getcwd []\n",
    "version 1.1": "%YAML 1.1\n---\n[yes, no, on, y, 010, 08, 1:30, 1:30.5, 0o7, 1e3, 2020-01-01]\n",
    "version 1.2": "%YAML 1.2\n---\n[yes, 010]\n",
    "documents": "a: 1\n---\nb: 2\n",
    "end of document": "a: 1\n...\n",
    "literal": "a: |\n  x\n   y\n\n  z\nb: |-\n  x\nc: >\n  x\n  y\n\n  z\nd: >+\n  x\n\n",
    "plain over lines": "a: b\n  c\n\n  d\n",
    "quoted over lines": "a: \"b\n  c\\\n  d\"\nb: 'e\n\n  f'\n",
    "json": '{"a":1,"b":[true,null,1.5e3],"c":{"d":"e\\n"}}',
    "comments": "a: 1 # x\n# y\nb: c#d\n",
    "windows lines": "a: 1\r\nb: |\r\n  x\r\n  y\r\n",
    "unicode": "é: ü\nb: \U0001f600\n",
    "byte order mark": "\ufeffa: 1\n",
    "control character": "a: \x01\n",
    "tab in plain text": "a: b\tc\n",
    "tab after a colon": "a:\tb\n",
    "tab before a comment": "a: b\t# c\n",
    "tab in a comment": "a: b # c\td\n#\te\n",
    "tab in quotes": "a: 'b\tc'\nd: \"e\tf\"\n",
    "tab in a block": "a: |\n  b\tc\n  \td\n",
    "tab on an empty line": "a: b\n\t\nc: d\n",
    "tab as indentation": "a:\n\tb: c\n",
    "unclosed": "a: [1, 2\n",
    "bad indentation": "a: 1\n b: 2\n",
    "at sign": "a: @b\n",
    "number": "1\n",
    "list": "- 1\n- 2\n",
}


def shape(value: object) -> object:
    """A value with its types and its order of keys."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, dict):
        return {"map": [(shape(key), shape(inner)) for key, inner in value.items()]}
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [shape(item) for item in value])
    if isinstance(value, set):
        return ("set", sorted(map(repr, value)))
    return (type(value).__name__, repr(value))


def ours(text: str) -> object:
    try:
        return shape(load_yaml(text.encode(), name="x.yaml"))
    except ProjectError as error:
        assert error.where is not None
        return REFUSED


def theirs(text: str) -> object:
    from ruamel.yaml import YAML

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return shape(YAML(typ="safe").load(text))
        except Exception:  # ruamel.yaml also crashes on some scalars
            return REFUSED


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("version", ["", "%YAML 1.1\n---\n"])
def test_scalars(scalar: str, version: str) -> None:
    text = f"{version}a: {scalar}\n"
    assert ours(text) == theirs(text)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents(name: str) -> None:
    assert ours(DOCUMENTS[name]) == theirs(DOCUMENTS[name])


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789+-._eExXobBTtZ: aAfFnN", min_size=1, max_size=12))
def test_any_plain_scalar(text: str) -> None:
    document = f"a: {text}\n"
    assert ours(document) == theirs(document)


_KEYS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=5
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=30, deadline=None)
@given(_VALUES)
def test_what_ruamel_writes_is_read_back(value: Any) -> None:
    import io

    from ruamel.yaml import YAML

    stream = io.StringIO()
    yaml = YAML()
    yaml.dump({"v": value}, stream)
    assert ours(stream.getvalue()) == theirs(stream.getvalue()) == shape({"v": value})


@settings(max_examples=30, deadline=None)
@given(_VALUES)
def test_json_is_yaml(value: Any) -> None:
    text = json.dumps({"v": value}, ensure_ascii=False).replace("Infinity", ".inf")
    assert load_yaml(text, name="x") == {"v": value}


def test_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    monkeypatch.setattr(yaml12, "_EventParser", yaml.SafeLoader)
    for text in ("a: &x [1, yes, 010]\nb: *x\n", "", "a: 'b\tc'\n"):
        assert ours(text) == theirs(text)


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "duplicate key 'c'"),
        ("a: 1\nb: [\n", 3, "invalid YAML"),
        ("a: 1\nb: *x\n", 2, "undefined alias 'x'"),
        ("a: !x 1\n", 1, "the tag !x cannot be used"),
        ("a: !!python/name:os.system ''\n", 1, "the tag !!python/name:os.system cannot be used"),
        ("a: 1\n---\nb: 1\n", 2, "another"),
        ("a: b\nc: d\te\n", 2, "tab"),
        ("a: 0o_\n", 1, "invalid value"),
    ],
)
def test_errors_name_the_line(text: str, line: int, part: str) -> None:
    with pytest.raises(ParamsError) as caught:
        load_yaml(text, name="d/x.yaml", error=ParamsError)
    assert caught.value.where == f"d/x.yaml:{line}"
    assert part in caught.value.message


def test_merge_conflicts_are_recognised() -> None:
    with pytest.raises(ProjectError) as caught:
        load_yaml("<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n", name="x.yaml")
    assert "merge conflict" in (caught.value.hint or "")


def test_text_that_is_not_utf8() -> None:
    with pytest.raises(ProjectError) as caught:
        load_yaml(b"a: 1\nb: \xff\n", name="x.yaml")
    assert caught.value.where == "x.yaml:2"


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return "\n".join(lines)


def _merge_bomb(levels: int) -> str:
    lines = ["a0: &a0 {k: &b0 [x, x]}"]
    lines += [f"a{n}: &a{n} {{k: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (_bomb(40), "aliases stand for more than"),
        (_merge_bomb(40), "aliases stand for more than"),
        ("a: &a [*a]\n", "undefined alias"),
        ("[" * 201 + "]" * 201, "deeper than 200"),
        ("{a: " * 5000 + "}" * 5000, "deeper than 200"),
        ("[" * 100_000, "deeper than 200"),
        ("- " * 1_000_000, "deeper than 200"),
        ("a" * 10_000_001, "10,000,001 bytes"),
        ("a: " + "1" * 10_000, "invalid value"),
    ],
)
def test_what_is_too_much_is_refused_at_once(text: str, part: str) -> None:
    started = time.process_time()
    with pytest.raises(ProjectError) as caught:
        load_yaml(text, name="x.yaml")
    assert part in caught.value.message
    assert time.process_time() - started < 2


def test_the_limits_can_be_changed() -> None:
    limits = Limits(size=100, depth=2, nodes=5, expanded=3)
    assert load_yaml("[[1], 2]", name="x", limits=limits) == [[1], 2]
    for text in ("[[[1]]]", "[1, 2, 3, 4, 5, 6]", "[&a 1, *a, *a, *a, *a]", "#" * 101):
        with pytest.raises(ProjectError):
            load_yaml(text, name="x", limits=limits)
