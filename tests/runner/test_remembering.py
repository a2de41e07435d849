"""Documents that several experiments have in common are parsed once, and shared by none."""

from __future__ import annotations

import datetime
import threading
from typing import TYPE_CHECKING

import pytest

from exprun.errors import ProjectError
from exprun.runner import remembering
from exprun.runner.remembering import RecentDocuments, RememberingYaml

if TYPE_CHECKING:
    from pathlib import Path


class Parser:
    """Makes a document of a text, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, text: bytes | str) -> object:
        self.calls += 1
        return {"text": text, "list": [1, 2.5, None, True]}


def test_what_is_changed_by_one_is_as_before_for_the_next() -> None:
    recent, parse = RecentDocuments(), Parser()
    for _ in range(3):
        document = recent.cached(b"a", parse)
        assert document == {"text": b"a", "list": [1, 2.5, None, True]}
        assert isinstance(document, dict)
        document["list"].append("mine")
    assert parse.calls == 1


def test_texts_and_bytes_are_different_documents() -> None:
    recent, parse = RecentDocuments(), Parser()
    assert recent.cached(b"a", parse) != recent.cached("a", parse)
    assert parse.calls == 2


def test_only_so_many_are_kept() -> None:
    recent, parse = RecentDocuments(), Parser()
    for number in range(1000):
        recent.cached(str(number), parse)
    recent.cached("0", parse)
    assert parse.calls == 1001


def test_what_is_not_plain_data_is_parsed_each_time() -> None:
    recent = RecentDocuments()
    documents = [recent.cached("d", lambda _: [datetime.date(2020, 1, 1)]) for _ in range(2)]
    assert documents[0] == documents[1]
    assert documents[0] is not documents[1]


def test_a_refusal_is_not_kept(tmp_path: Path) -> None:
    read = RememberingYaml(str(tmp_path), keep_from=100)
    for name in ("one.yaml", "two.yaml"):
        with pytest.raises(ProjectError, match=name):
            read("a: [", name=name)


def test_what_one_has_kept_another_finds_that_keeps_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"a: [1, {b: 2}]": {"a": [1, {"b": 2}]}, "c: [3]": {"c": [3]}}
    first, second = texts
    RememberingYaml(str(tmp_path))(first, name="n")
    kept = list(tmp_path.iterdir())

    read = RememberingYaml(str(tmp_path), keep_from=100)
    assert read(second, name="n") == texts[second]
    assert list(tmp_path.iterdir()) == kept
    monkeypatch.setattr(remembering, "read_yaml", None)
    assert read(first, name="n") == texts[first]


def test_threads_may_ask_for_the_same() -> None:
    recent, parse = RecentDocuments(), Parser()
    found: list[object] = []

    def ask() -> None:
        found.extend(recent.cached(str(number % 70), parse) for number in range(500))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2000
    assert all(isinstance(each, dict) and each["list"][0] == 1 for each in found)
