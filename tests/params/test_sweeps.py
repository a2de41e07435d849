"""Sweeps against DVC's own expansion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import UsageError
from exprun.params import sweeps
from exprun.params.parsing import parse_overrides
from tests.params.oracle import Refused, sweeps_by_dvc

if TYPE_CHECKING:
    from collections.abc import Sequence

CASES = [
    ["a=1,2"],
    ["a=1,2", "b=x,y,z"],
    ["a=1,2", "f.yaml:b=x,y", "c=8,9"],
    ["f.yaml:b=x,y", "a=1,2", "f.yaml:c=0"],
    ["a=1,2", "a=3"],
    ["a=3", "a=1,2"],
    ["a=1,2", "b=0", "a=5,6,7"],
    ["a=1,2", "+a=3"],
    ["a=1.50,1e-4,1_000,true,NULL,word"],
    ["a=[1,2],[3]", "b={x: 1},{y: [z]}"],
    ["a='x,y','it\\'s',\"q\""],
    ["a=x\\,y,z"],
    ["a=a b,c:d"],
    ["a=,1"],
    ["a=''", "b=1,2"],
    ["a=", "b=1,2"],
    ["~a", "b=1,2"],
    ["~a=1,2"],
    ["+a=1,2", "++b=3,4"],
    ["a=choice(1,b,[c])"],
    ["a=range(3)"],
    ["a=range(1,10,4)", "b=range(3,0,-1)"],
    ["a=range(0.1,0.4,0.1)"],
    ["a=range(1,2,0.25)"],
    ["a=sort(3,1,2)"],
    ["a=sort(3,1,2,reverse=true)"],
    ["a=sort(range(1,4),reverse=true)"],
    ["a=tag(one,two,choice(1,2))"],
    ["a=int(1.5,2.5)"],
    ["a=str(1,2)"],
    ["a=float(range(1,3))"],
    ["db@pkg=x,y"],
    ["a=${x},1"],
    ["a=$x,1"],
    ["a=1e5,1E-7,1e20"],
    ["a=glob(*)"],
    ["a=interval(0,1)"],
    ["a=1,2", "b=interval(0,1)"],
    ["a=1,,2"],
    ["a=range(0,1,0.0)"],
    ["a=range(1,2,0)"],
    ["a=1"],
    ["a=shuffle(1)"],
]


def texts(overrides: Sequence[str]) -> list[dict[str, list[str]]] | Refused:
    """What exprun would queue, in DVC's form."""
    try:
        expanded = list(sweeps.expand(parse_overrides(overrides)))
    except UsageError as error:
        return Refused(error.message)
    return [
        {file: [one.text for one in each] for file, each in sweep.items()} for sweep in expanded
    ]


@pytest.mark.parametrize("overrides", CASES)
def test_the_experiments_are_dvcs(overrides: list[str]) -> None:
    assert texts(overrides) == sweeps_by_dvc(overrides)


_value = st.sampled_from(["1", "0.10", "x", "true", "'q'", "[1,2]", "1e-3", "a b", "null", "-1"])
_override = st.builds(
    lambda file, key, values: f"{file}{key}={','.join(values)}",
    st.sampled_from(["", "f.json:", "g.yaml:"]),
    st.sampled_from(["a", "b", "+c", "a.b"]),
    st.lists(_value, min_size=1, max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_override, min_size=1, max_size=4))
def test_products_are_dvcs(overrides: list[str]) -> None:
    assert texts(overrides) == sweeps_by_dvc(overrides)


def test_a_shuffled_sweep_is_shuffled_by_the_caller() -> None:
    overrides = parse_overrides(["a=shuffle(1,2,3)", "b=shuffle(range(2))"])
    expanded = sweeps.expand(overrides, shuffle=list.reverse)
    assert [[one.value for one in each["params.yaml"]] for each in expanded] == [
        [3, 1], [3, 0], [2, 1], [2, 0], [1, 1], [1, 0]
    ]  # fmt: skip


def test_is_sweep() -> None:
    assert sweeps.is_sweep(parse_overrides(["a=1", "f.json:b=1,2"]))
    assert not sweeps.is_sweep(parse_overrides(["a=1", "f.json:b=[1,2]"]))


def test_names() -> None:
    assert sweeps.names("p", 3) == ["p-1", "p-2", "p-3"]


def test_a_file_without_overrides_stays() -> None:
    overrides = {**parse_overrides(["a=1,2"]), "other.yaml": ()}
    assert [each["other.yaml"] for each in sweeps.expand(overrides)] == [(), ()]


def test_an_empty_sweep_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the sweep over 'a' has no values"):
        sweeps.expand(parse_overrides(["a=range(5,1)", "b=1,2"]))


def test_a_sweep_is_bounded_before_it_is_made() -> None:
    with pytest.raises(UsageError, match="10000000000 experiments"):
        sweeps.expand(parse_overrides([f"{key}=range(10)" for key in "abcdefghij"]))
    with pytest.raises(UsageError, match="more than 3"):
        sweeps.expand(parse_overrides(["a=range(4)"]), limit=3)
