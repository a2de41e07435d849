"""The override grammar against Hydra's own parser."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import UsageError
from exprun.params import grammar, overrides, plain
from exprun.params.overrides import Operation, Override, Sweep
from exprun.params.parsing import parse_override, parse_overrides
from tests.params.oracle import Refused, parsed_by_dvc

GIVEN = [
    "a=1",
    "a=-1",
    "a=+1",
    "a=00",
    "a=007",
    "a=1_000",
    "a=1.5",
    "a=01.5",
    "a=.5",
    "a=5.",
    "a=1e5",
    "a=1E-5",
    "a=1.e5",
    "a=-.5e+3",
    "a=1e400",
    "a=inf",
    "a=-Inf",
    "a=nan",
    "a=true",
    "a=TRUE",
    "a=False",
    "a=null",
    "a=NULL",
    "a=None",
    "a=yes",
    "a=word",
    "a=two-words",
    "a=path/to.txt",
    "a=/abs/path",
    "a=a/b.c-d",
    "a=e5",
    "a=1a",
    "a=1.2.3",
    "a=2020-01-01",
    "a=inf.x",
    "a=nan-1",
    "a=true.x",
    "a=x y",
    "a= x",
    "a=x ",
    "a=",
    "a= ",
    "a=x:y",
    "a=x=y",
    "a=$x",
    "a=${x}",
    "a=x@y",
    "a=50%",
    "a=a*b",
    "a=\\,",
    "a=\\\\",
    "a='q'",
    'a="q"',
    "a='it\\'s'",
    "a='",
    "a=[]",
    "a=[1,2]",
    "a=[1,[x,{y:z}]]",
    "a={}",
    "a={b:1,c:[2]}",
    "a={'b':1}",
    "a=int(1.5)",
    "a=float(1)",
    "a=str(1)",
    "a=bool(x)",
    "a=bool(true)",
    "a=sort(3,1)",
    "a=sort([3,1])",
    "a=1,2",
    "a=1, 2",
    "a=1,,2",
    "a=1,",
    "a=x,1.50,true,null,1e-4",
    "a=nan,1",
    "a='x,y',z",
    "a=[1,2],[3]",
    "a=choice(1,2)",
    "a=choice()",
    "a=choice(choice(1,2))",
    "a=range(3)",
    "a=range(1,4)",
    "a=range(1,10,3)",
    "a=range(4,1,-1)",
    "a=range(1,4,0)",
    "a=range(-2,2)",
    "a=range(0.1,0.4,0.1)",
    "a=range(1,2,0.5)",
    "a=range(0,1,0.0)",
    "a=range(start=1,stop=3)",
    "a=range(x)",
    "a=sort(3,1,2,reverse=true)",
    "a=sort(range(1,4),reverse=true)",
    "a=tag(t,choice(1,2))",
    "a=tag(choice(1,2))",
    "a=int(1.5,2.5)",
    "a=str(range(1,3))",
    "a.b.c=1",
    "a.0.c=1",
    "a.00=1",
    "a.1_0=1",
    "0=1",
    "0.a=1",
    "a-b=1",
    "-a=1",
    "_a=1",
    "a.=1",
    ".a=1",
    "a..b=1",
    "a[0]=1",
    "a b=1",
    "$a=1",
    "a$=1",
    "é=1",
    "a/b=1",
    "a/b@c=1",
    "a@b=1",
    "a@b:c=1",
    "+a=1",
    "++a=1",
    "+++a=1",
    "+ a=1",
    "~a",
    "~a=1",
    "~a=",
    "~a.b",
    "~a@b",
    "~",
    "+a",
    "a",
    "",
    "=",
    "=1",
    "+=1",
    "true=1",
    "null=1",
    "a=1\n",
    "a=x\ty",
    "a=foo(1)",
    "a=x(1)",
    "a=(1)",
    "a={b}",
    "a={b:1,b:2}",
    "a=[1",
    "a=]",
]


def agrees(mine: Override, hydra: object) -> bool:
    """Whether both say the same, in Hydra's own terms."""
    assert not isinstance(hydra, Refused), hydra
    if isinstance(mine.value, Sweep):
        value = list(mine.value.choices) == list(hydra.sweep_string_iterator())  # type: ignore[attr-defined]
    else:
        assert not hydra.is_sweep_override()  # type: ignore[attr-defined]
        value = _same(mine.value, hydra.value())  # type: ignore[attr-defined]
        value = value and mine.spelling == hydra.get_value_element_as_str()  # type: ignore[attr-defined]
    return (
        value
        and mine.key == hydra.key_or_group  # type: ignore[attr-defined]
        and mine.package == hydra.package  # type: ignore[attr-defined]
        and mine.target == hydra.get_key_element()  # type: ignore[attr-defined]
        and mine.text == hydra.input_line  # type: ignore[attr-defined]
    )


def _same(mine: object, theirs: object) -> bool:
    if isinstance(mine, float) and math.isnan(mine):
        return isinstance(theirs, float) and math.isnan(theirs)
    return type(mine) is type(theirs) and mine == theirs


@pytest.mark.parametrize("text", GIVEN)
def test_an_override_is_read_as_hydra_reads_it(text: str) -> None:
    hydra = parsed_by_dvc(text)
    try:
        mine = parse_override(text)
    except UsageError:
        # A range without members or end is no error for Hydra until somebody asks for them.
        assert isinstance(hydra, Refused) or text in (
            "a=range(1,4,0)",
            "a=range(0,1,0.0)",
            "a=range(x)",
        )
    else:
        assert agrees(mine, hydra)


_PIECES = [*"aeEnNtT_019.+-/,~=", "true", "null", "inf", "nan", "1e", "range(", ")"]
_SOUP = st.lists(st.sampled_from(_PIECES), max_size=8).map("".join)


@settings(max_examples=250, deadline=None)
@given(prefix=st.sampled_from(["", "+", "++", "~"]), key=_SOUP, value=_SOUP)
def test_what_is_read_without_hydra_is_what_hydra_reads(prefix: str, key: str, value: str) -> None:
    for text in (f"{prefix}a.{key}={value}", f"{prefix}k={value}"):
        if plain.read(text) is not None:
            assert agrees(parse_override(text), parsed_by_dvc(text))


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.integers(-(10**17), 10**17), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_are_plain(number: float) -> None:
    text = f"a={number}"
    if plain.read(text) is not None:
        assert parse_override(text).value == number
        assert grammar.parse(text) == parse_override(text)
    else:
        assert len(str(number)) > 17


@pytest.mark.parametrize(
    "text",
    ["a=1", "a.b=0.1", "a=word", "a=1,2,3", "a=range(1,101)", "+a=x", "++a=true", "~a", "a=null"],
)
def test_plain_overrides_do_without_the_parser(text: str) -> None:
    assert plain.read(text) is not None


def test_files_come_before_the_first_colon() -> None:
    parsed = parse_overrides(["a=1", "x.yaml:b=2", "a=x:y", "dir/y.json:c=z:w", "x.yaml:~d"])
    assert {file: [each.text for each in those] for file, those in parsed.items()} == {
        "params.yaml": ["a=1", "a=x:y"],
        "x.yaml": ["b=2", "~d"],
        "dir/y.json": ["c=z:w"],
    }
    assert parsed["x.yaml"][1].operation is Operation.DELETE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr", "there is no '='\n  lr"),
        ("a b=1", "a character that cannot stand here\n  a b=1\n   ^"),
        ("a=1=2", "mismatched input '=' expecting <EOF>\n  a=1=2\n     ^"),
        (":a=1", "no file name before ':'\n  :a=1\n  ^"),
        ("a=[choice(1,2)]", "a sweep cannot be part of a list or a map\n  a=[choice(1,2)]"),
        ("a=glob(*)", "glob() is not supported: there are no groups to choose from\n  a=glob(*)"),
        ("a=range(0.1,inf)", "a sweep may have at most 20000 values\n  a=range(0.1,inf)"),
        ("a=" + "[" * 300, None),
    ],
)
def test_errors_show_the_place(text: str, message: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        parse_overrides([text])
    assert caught.value.message.startswith("Invalid `--set-param` value: ")
    assert caught.value.hint
    if message is not None:
        assert caught.value.message == f"Invalid `--set-param` value: {message}"


def test_the_default_file_is_dvcs() -> None:
    from dvc.dependency.param import ParamsDependency

    assert overrides.DEFAULT_FILE == ParamsDependency.DEFAULT_PARAMS_FILE


def test_a_plain_edit_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from exprun.params import edits, parsing, sweeps\n"
        "each = parsing.parse_overrides(['a.b=1,2', 'c=x'])\n"
        "assert sweeps.is_sweep(each)\n"
        "one, two = sweeps.expand(each)\n"
        "text = edits.apply_overrides(b'a:\\n  b: 0 # x\\nc: y\\n', 'p.yaml', two['params.yaml'])\n"
        "assert text == b'a:\\n  b: 2 # x\\nc: x\\n', text\n"
        "heavy = {'hydra', 'omegaconf', 'ruamel', 'yaml', 'tomlkit', 'asyncio', 'random'}\n"
        "assert heavy.isdisjoint(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
