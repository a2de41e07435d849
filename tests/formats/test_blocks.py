"""What is read without the YAML parser is what the parser would read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exprun.errors import ProjectError
from exprun.formats.blocks import read_mapping, read_settings
from exprun.formats.plain import NotSimple
from exprun.formats.yaml12 import load_yaml

PLAIN = (
    "a b lr train.lr 1 0 -1 0.1 1e-3 .5 null True off 'q' \"q\" '' {} [] 1.2.3 http://x/y".split()
)
ODD = (
    '1e3 5. +1 0x1F 0o17 017 1_000 .inf -.nan ~ true yes 2020-01-01 12:30 "a\\n" [1] {a:1} & &x'
    " *x !x !!str | > |- # #c a#b << = % @ ` ? - -- --- ... : :: a: ::a a,b \"it's\" 'it''s'"
).split()
ODDER = ("", "a b", "a: b", "'a: b'", " ", "a\tb", "é", "\x85", "\r", "a\n  b", "a\n  c: 1", " # c")
WORDS = st.sampled_from([*PLAIN * 8, *ODD, *ODDER])
LINES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "  ", "- ", "  - ", "    ", "# "]),
    st.one_of(st.builds("{}: {}".format, WORDS, WORDS), st.builds("{}:".format, WORDS), WORDS),
    st.sampled_from([""] * 8 + [" ", " # c", "\n# c", "\n", "\n  # c"]),
)
TEXTS = st.lists(LINES, min_size=1, max_size=4).map("\n".join)

SIMPLE = {
    "lr: 0.1\nmodel:\n  depth: 2\n  name: cnn\n": {"lr": 0.1, "model": {"depth": 2, "name": "cnn"}},
    "# top\na: 1\n\n  # inside\nb: null\n": {"a": 1, "b": None},
    "layers:\n  - 1\n  - x: 'y'\nmore:\n- []\n": {"layers": [1, {"x": "y"}], "more": [[]]},
}
NOT_SIMPLE = (
    "",
    "- a\n",
    "a: b\n  c\n",
    "a: 1 # one\n",
    "a: &x 1\n",
    "a: *x\n",
    "<<: 1\n",
    "a: 1\na: 2\n",
    "a: é\n",
    "# \x85b: 1\na: 1\n",
    "a:\t1\n",
    "a: 1\r\nb: 2\n",
    "a: 2020-01-01\n",
    "a: 'it''s'\n",
    'a: "b" c"\n',
)


@pytest.mark.parametrize(("text", "value"), SIMPLE.items())
def test_reads_plain_settings(text: str, value: object) -> None:
    assert read_settings(text) == value == load_yaml(text, name="x")


@pytest.mark.parametrize("text", NOT_SIMPLE)
def test_leaves_everything_else_to_the_parser(text: str) -> None:
    with pytest.raises(NotSimple):
        read_settings(text)


@pytest.mark.parametrize("text", ["a: 'b\u2028  c'", "a: 'b\x85c'", "'a\u2028 b': 1"])
def test_leaves_unusual_line_breaks_in_quotes_to_the_parser(text: str) -> None:
    with pytest.raises(NotSimple):
        read_mapping(text, 0)


@given(TEXTS)
def test_never_differs_from_the_parser(text: str) -> None:
    with suppress(NotSimple):
        value = read_settings(text)
        try:
            parsed = load_yaml(text, name="x")
        except ProjectError as error:
            raise AssertionError(f"{value!r} of what is refused") from error
        assert repr(value) == repr(parsed)
