from __future__ import annotations

import subprocess
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import UsageError
from exprun.git.names import check_name, is_ref_component, random_name
from exprun.git.words import ADJECTIVES, NOUNS


@pytest.mark.parametrize("name", ["a", "é", "stash", "1", "a.b", "main", "x@y", "a-b", "a" * 200])
def test_names_that_are_allowed(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a b", "a..b", "a~1", ".a", "a.lock", "x.", "a@{b", "a:b", "a\\b", "a?",
     "a\n", "a\x7f"],
)  # fmt: skip
def test_names_that_git_refuses(name: str) -> None:
    with pytest.raises(UsageError, match="the exp name must follow rules in https"):
        check_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("-x", "option"),
        ("HEAD", "current commit"),
        ("@", "current commit"),
        ("A" * 40, "commit"),
        ("é" * 101, "200 bytes"),
        ("\udcff", "valid text"),
    ],
)
def test_names_that_would_confuse(name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        check_name(name)


@settings(max_examples=40, deadline=None)
@given(name=st.text(st.sampled_from("ab./@{}~^:?*[\\ \x7f\tl\u00e9-"), min_size=1, max_size=6))
def test_git_agrees(name: str) -> None:
    done = subprocess.run(
        ["git", "check-ref-format", f"refs/exps/{name}"], check=False, capture_output=True
    )
    assert is_ref_component(name) == (done.returncode == 0 and "/" not in name)


def test_random_names_are_new() -> None:
    taken: set[str] = set()
    random = Random(1)
    for _ in range(200):
        name = random_name(taken.__contains__, random)
        adjective, noun = name.split("-")
        assert (len(adjective), len(noun)) == (5, 4)
        assert name not in taken
        taken.add(check_name(name))


def test_random_names_never_run_out() -> None:
    name = random_name(lambda name: name.count("-") < 2 or name.endswith("-2"), Random(1))
    assert name.endswith("-3")


def test_the_words_are_clean() -> None:
    assert len(set(ADJECTIVES)) == len(ADJECTIVES) > 150
    assert len(set(NOUNS)) == len(NOUNS) > 180
