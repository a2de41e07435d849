"""Overrides applied without OmegaConf against OmegaConf's own result."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import ExprunError
from exprun.params import direct, merging
from exprun.params.parsing import parse_override

_key = st.sampled_from(["a", "b", "0", "1", "_x", "keys", "copy"])
_scalar = st.sampled_from([None, True, False, 0, 7, 0.5, math.inf, "", "word", "$x", "a b"])
_data = st.dictionaries(
    st.one_of(_key, st.just(1), st.just(2.5), st.just("a.b")),
    st.recursive(
        _scalar,
        lambda inner: st.one_of(
            st.lists(inner, max_size=2), st.dictionaries(_key, inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=3,
)
_override = st.builds(
    lambda prefix, path, value: f"{prefix}{'.'.join(path)}{value}",
    st.sampled_from(["", "", "", "+", "++", "~"]),
    st.lists(_key, min_size=1, max_size=3),
    st.sampled_from(["=1", "=x", "=null", "=true", "='q r'", "=", ""]),
)


@settings(max_examples=300, deadline=None)
@given(data=_data, texts=st.lists(_override, min_size=1, max_size=2))
def test_the_direct_way_is_omegaconfs(data: dict[Any, Any], texts: list[str]) -> None:
    try:
        overrides = [parse_override(text) for text in texts]
    except ExprunError:
        return
    changed = copy.deepcopy(data)
    try:
        direct.apply(changed, overrides)
    except direct.NotPlainError:
        return
    expected = merging.apply(data, overrides, name="p", place=str)
    assert changed == expected
    assert repr(changed) == repr(expected)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"a": 1}, "a='${b}'"),
        ({"a": 1}, "a='???'"),
        ({"a": "${b}", "b": 1}, "b=2"),
        ({"a": ["???"], "b": 1}, "b=2"),
        ({"a": {None: 1}, "b": 1}, "b=2"),
        ({"a": (1, 2), "b": 1}, "b=2"),
        ({"a": 1}, "a=[1]"),
        ({"a": 1}, "a={b: 1}"),
        ({"a": 1}, "b=1"),
        ({"a": 1}, "a.b=1"),
        ({"a": 1}, "+a=2"),
        ({"a": 1}, "+a.b=2"),
        ({"a": [1]}, "a.1=2"),
        ({"a": [1]}, "+a.0=2"),
        ({"a": 1}, "~b"),
        ({"a": None}, "~a"),
        ({"a": 1}, "~a=1"),
        ({"a": 1}, "a@b=1"),
    ],
)
def test_the_rest_is_left_to_omegaconf(data: dict[Any, Any], text: str) -> None:
    with pytest.raises(direct.NotPlainError):
        direct.apply(data, [parse_override(text)])
