"""The older ``--params`` form."""

from __future__ import annotations

import pytest

from exprun.errors import UsageError
from exprun.params import edits
from exprun.params.overrides import Operation
from exprun.params.pairs import parse_pairs


def test_pairs_by_file() -> None:
    parsed = parse_pairs(["lr=0.1,name=x", "conf/p.json:a.b=1,c=true", "lr=1e-3"])
    assert {file: [(one.key, one.value) for one in each] for file, each in parsed.items()} == {
        "params.yaml": [("lr", 0.1), ("name", "x"), ("lr", 0.001)],
        "conf/p.json": [("a.b", 1), ("c", True)],
    }
    assert all(one.operation is Operation.FORCE_ADD for each in parsed.values() for one in each)


def test_the_file_ends_at_the_last_colon_and_a_value_at_the_next_equals() -> None:
    parsed = parse_pairs(["c:/x.yaml:a=b=c"])
    assert [(one.key, one.value) for one in parsed["c:/x.yaml"]] == [("a", "b=c")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("010", 10),
        ("1e3", 1000.0),
        ("yes", "yes"),
        ("", None),
        ("null", None),
        ("[1]", [1]),
        ("{}", {}),
        ("'a b'", "a b"),
        ("a b", "a b"),
        ("${x}", "${x}"),
    ],
)
def test_values_are_yaml(text: str, value: object) -> None:
    (override,) = parse_pairs([f"f.yaml:k={text}"])["f.yaml"]
    assert override.value == value


def test_a_file_alone_changes_nothing() -> None:
    assert parse_pairs(["f.yaml:"]) == {"f.yaml": ()}


@pytest.mark.parametrize("text", ["lr", "=1", "a=1,b", "f.yaml:a", "k=[1,2]", "k={", "k=!!x 1"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="Invalid `--params` value"):
        parse_pairs([text])


def test_pairs_are_merged_into_the_file() -> None:
    data = b"lr: 0.1  # rate\nmodel:\n  depth: 3\n"
    pairs = parse_pairs(["lr=0.2,model.width=64,new.key=x"])["params.yaml"]
    assert edits.apply_overrides(data, "params.yaml", pairs) == (
        b"lr: 0.2  # rate\nmodel:\n  depth: 3\n  width: 64\nnew:\n  key: x\n"
    )
