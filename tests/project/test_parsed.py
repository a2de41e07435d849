from __future__ import annotations

import datetime
import json
import math
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.project.parsed import ParsedCache

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Parser:
    """Returns a prepared document and counts how often it was asked."""

    def __init__(self, document: object) -> None:
        self.document = document
        self.calls = 0

    def __call__(self, data: bytes) -> object:
        self.calls += 1
        return self.document


def test_the_same_text_is_parsed_once_also_by_later_processes(tmp_path: Path) -> None:
    parse = Parser({"a": [1, 2.5, None, True, "é\ud800"]})
    directory = str(tmp_path / "deep" / "parsed")
    for _ in range(3):
        assert ParsedCache(directory).cached(b"text", "yaml", parse) == parse.document
    assert parse.calls == 1
    assert ParsedCache(directory).cached(b"other text", "yaml", parse) == parse.document
    assert ParsedCache(directory).cached(b"text", "json", parse) == parse.document
    assert parse.calls == 3


@settings(max_examples=60, deadline=None)
@given(document=PLAIN)
def test_plain_documents_come_back_exactly(
    document: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = ParsedCache(str(tmp_path_factory.getbasetemp() / "parsed"))
    data = repr(document).encode("utf-8", "surrogatepass")
    first = cache.cached(data, "k", Parser(document))
    again = cache.cached(data, "k", Parser("must not be asked"))
    assert first == again == document
    assert repr(again) == repr(document)


def test_numbers_that_json_does_not_know_come_back(tmp_path: Path) -> None:
    cache = ParsedCache(str(tmp_path))
    cache.cached(b"x", "k", Parser([math.inf, -math.inf, math.nan, -0.0]))
    again = cache.cached(b"x", "k", Parser(None))
    assert repr(again) == "[inf, -inf, nan, -0.0]"


SELF_HOLDING: list[object] = []
SELF_HOLDING.append(SELF_HOLDING)


@pytest.mark.parametrize(
    "document",
    [
        {1: "integer key"},
        {"a": {True: 1}},
        {"d": datetime.date(2020, 1, 1)},
        {"t": (1, 2)},
        [b"bytes"],
        [{1, 2}],
        type("Text", (str,), {})("subclass"),
        10**5000,
        SELF_HOLDING,
    ],
    ids=[str(i) for i in range(9)],
)
def test_what_json_would_change_is_not_kept(tmp_path: Path, document: object) -> None:
    parse = Parser(document)
    cache = ParsedCache(str(tmp_path))
    assert cache.cached(b"x", "k", parse) is document
    assert cache.cached(b"x", "k", parse) is document
    assert parse.calls == 2


@pytest.mark.parametrize("damage", [b"", b"junk", b"exprun-parsed/1", None])
def test_a_damaged_entry_is_parsed_again_and_replaced(tmp_path: Path, damage: bytes | None) -> None:
    cache = ParsedCache(str(tmp_path / "parsed"))
    cache.cached(b"x", "k", Parser({"a": 1}))
    (entry,) = (tmp_path / "parsed").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole.replace(b'"a":1', b'"a":2') if damage is None else damage)
    assert cache.cached(b"x", "k", Parser({"a": 1})) == {"a": 1}
    assert entry.read_bytes() == whole


def test_entries_that_came_with_a_copy_of_the_directory_are_not_believed(tmp_path: Path) -> None:
    ParsedCache(str(tmp_path / "theirs")).cached(b"x", "k", Parser("forged"))
    (entry,) = (tmp_path / "theirs").iterdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / entry.name).write_bytes(entry.read_bytes())
    assert ParsedCache(str(tmp_path / "mine")).cached(b"x", "k", Parser("true")) == "true"


def test_the_least_recently_used_entries_go_when_there_are_too_many(tmp_path: Path) -> None:
    directory = tmp_path / "parsed"
    for number in range(65):
        # The first store of a process looks whether there are too many.
        cache = ParsedCache(str(directory), max_entries=10)
        cache.cached(b"%d" % number, "k", Parser(number))
        for entry in directory.iterdir():
            used = entry.stat().st_mtime
            os.utime(entry, (used - 10, used - 10))
    assert len(list(directory.iterdir())) <= 10
    assert cache.cached(b"64", "k", Parser("asked again")) == 64
    assert cache.cached(b"3", "k", Parser("asked again")) == "asked again"


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    cache = ParsedCache(str(tmp_path / "file"))
    parse = Parser([1])
    assert [cache.cached(b"x", "k", parse) for _ in range(2)] == [[1], [1]]
    assert parse.calls == 2


def test_entries_are_private_and_leave_nothing_beside_them(tmp_path: Path) -> None:
    directory = tmp_path / "parsed"
    ParsedCache(str(directory)).cached(b"x", "k", Parser(["secret"]))
    (entry,) = directory.iterdir()
    assert entry.stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    assert json.loads(entry.read_bytes().split(b"\n", 1)[1]) == ["secret"]


def test_many_threads_may_ask_for_the_same(tmp_path: Path) -> None:
    cache = ParsedCache(str(tmp_path))
    documents = [list(range(number)) for number in range(20)]
    results: list[object] = []

    def ask() -> None:
        for number, document in enumerate(documents):
            results.append(cache.cached(b"%d" % number, "k", Parser(document)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(repr, results)) == sorted(map(repr, documents * 4))
