"""Looking parameters up, against dpath as DVC calls it."""

from __future__ import annotations

import datetime
from typing import Any

import dpath
import dvc.repo.plots  # noqa: F401  DVC always loads it, and it makes dpath accept empty keys
import pytest

from exprun.errors import ParamsError
from exprun.lockfile.values import require_params, select_params
from exprun.model.paths import Location
from exprun.model.stage import ParamsFile

CASES: list[tuple[Any, str]] = [
    ({"a": {"b": [1, 2]}}, "a.b.0"),
    ({"a": {"b": [1, 2]}}, "a.b.-1"),
    ({"a": {"b": [1, 2]}}, "a.b.5"),
    ({"a": {"b": [1, 2]}}, "a.b"),
    ({"a": {1: "x"}}, "a.1"),
    ({"a": {"*": 3}}, "a.*"),
    ({"a": {"x": 3, "y": 4}}, "a.*"),
    ({"a.b": 1}, "a.b"),
    ({"a": 1}, "a.b"),
    ({"": 1, "a": 2}, "a"),
    ({"a": {"b": {"": 1}}}, "c"),
    ({"a": {"": 1}}, "a."),
    ({"a": 2}, ".a"),
    ({"a": 2}, ""),
    ({"a": 2}, "/"),
    ({"a": None}, "a"),
    ({"a": None}, "a.b"),
    ({True: 1}, "True"),
    ({True: 1}, "1"),
    ({1.5: 2}, "1.5"),
    ({None: 1}, "None"),
    ({"a": {"b": 1}}, "**.b"),
    ({"a": {"b": 1}}, "**"),
    ({"a": 1}, "**"),
    ({"a": {"b": 1}}, "**.**"),
    ({"a": {"b": {"c": 1}}}, "a.**.c"),
    ({"b": 1, "a": {"b": 1}}, "**.b"),
    ({"a[0]": 1}, "a[0]"),
    ({1: 2, "1": 3}, "1"),
    ({1: 2}, "01"),
    ({"ab": 1, "a": 2}, "a?"),
    ({"a": [[1, 2], [3]]}, "a.*.1"),
    ({"a": (1, 2)}, "a.1"),
    ({"a": "xy"}, "a.0"),
    ({"a": datetime.date(2020, 1, 1)}, "a"),
    ({"a": {datetime.date(2020, 1, 1): 1}}, "a.2020-01-01"),
    ({"a": {"01": 1}}, "a.01"),
    ({"a": [5, 6]}, "a.01"),
    ({"a": [5, 6]}, "a.+1"),
    ({(1, 2): 1}, "a"),
    ({(): 1}, "a"),
]

FOUND, MISSING, FAILS = "found", "missing", "fails"


def ask_dpath(values: Any, key: str) -> tuple[str, object]:
    try:
        return FOUND, dpath.get(values, key, separator=".")
    except KeyError:
        return MISSING, None
    except (ValueError, dpath.exceptions.InvalidGlob, dpath.exceptions.InvalidKeyName):
        return FAILS, None


def file_of(*keys: str) -> ParamsFile:
    return ParamsFile(path="p.yaml", location=Location("p.yaml"), keys=keys)


@pytest.mark.parametrize(("values", "key"), CASES)
def test_a_key_finds_what_dpath_finds(values: Any, key: str) -> None:
    try:
        selected = select_params(values, file_of(key))
        found = (FOUND, selected[key]) if key in selected else (MISSING, None)
    except ParamsError as error:
        assert error.where == "p.yaml"
        found = (FAILS, None)
    assert found == ask_dpath(values, key)


def test_a_whole_file_gives_its_top_level() -> None:
    assert select_params({"a": {"b": 1}, "c": 2}, file_of()) == {"a": {"b": 1}, "c": 2}


def test_missing_parameters_are_named() -> None:
    with pytest.raises(ParamsError) as caught:
        require_params({"a": 1}, file_of("a", "b", "c.d"))
    assert caught.value.message == "Parameters 'b, c.d' are missing from 'p.yaml'."


def test_keys_that_are_no_text_cannot_be_recorded() -> None:
    with pytest.raises(ParamsError, match="1 is not text"):
        require_params({1: 2}, file_of())  # type: ignore[dict-item]
