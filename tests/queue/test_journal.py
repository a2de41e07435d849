"""The journal against torn, foreign and replaced content."""

from __future__ import annotations

import json
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from exprun.queue.journal import Journal, Line, News, Sealed, format_line, parse_lines, seal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue" / "journal.jsonl"


def append(journal: Journal, *numbers: int) -> None:
    with journal.writing() as writer:
        for number in numbers:
            writer.append({"number": number})
        writer.sync()


def numbers(journal: Journal) -> list[object]:
    return of(journal.read())


def of(news: News) -> list[object]:
    return [line["number"] for _, line in news.lines if isinstance(line, dict)]


def test_lines_are_read_once_each_by_everybody(path: Path) -> None:
    one, two = Journal(str(path)), Journal(str(path))
    assert numbers(one) == []
    append(one, 1, 2)
    assert numbers(one) == numbers(two) == [1, 2]
    append(two, 3)
    assert numbers(one) == [3]
    assert numbers(one) == []


def test_files_are_for_the_owner_only(path: Path) -> None:
    append(Journal(str(path)), 1)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"journal.jsonl": 0o600, "journal.jsonl.lock": 0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("torn", range(1, len(format_line({"number": 2}))))
def test_a_torn_line_is_set_aside_by_the_next_writer(path: Path, torn: int) -> None:
    journal = Journal(str(path))
    append(journal, 1)
    with path.open("ab") as file:
        file.write(format_line({"number": 2})[:torn])
    assert numbers(journal) == [1]
    append(Journal(str(path)), 3)
    news = journal.read()
    # A line that lacks no more than its newline is whole.
    whole = torn == len(format_line({"number": 2})) - 1
    assert of(news) == ([2, 3] if whole else [3])
    assert [number for number, _ in news.damaged] == ([] if whole else [3])


@pytest.mark.parametrize(
    "text", [b"\0" * 50, b"null", b"[1]", b'{"v":2}', b"\xff\xfe", b"[" * 100_000, b"{"]
)
def test_what_is_no_line_of_ours_is_left_aside_and_named(path: Path, text: bytes) -> None:
    journal = Journal(str(path))
    append(journal, 1)
    with path.open("ab") as file:
        file.write(text + b"\n")
    append(journal, 2)
    news = journal.read()
    assert of(news) == [1, 2]
    assert news.damaged == [(3, text)]


def test_readers_notice_that_the_journal_was_replaced(path: Path) -> None:
    reader, writer = Journal(str(path)), Journal(str(path))
    append(writer, 1, 2, 3)
    assert numbers(reader) == [1, 2, 3]
    with writer.writing():
        writer.replace([{"number": 9}])
    append(writer, 10)
    news = reader.read()
    assert news.anew
    assert of(news) == [9, 10]


def test_sealed_lines_are_not_parsed_unless_they_are_damaged(path: Path) -> None:
    journal = Journal(str(path))
    text = seal({"number": 1, "name": '\u00e4" '}, "abcd", ["12", "34"])
    damaged = text.replace(b"number", b"numbef")
    with journal.writing():
        journal.replace([{"number": 0}, text, damaged, text[:-9], {"number": 5}])
    news = journal.read()
    assert news.lines[1] == (3, Sealed(3, "abcd", ("12", "34"), text))
    assert parse_lines([text]) == [
        {"v": 1, "sealed": news_seal(text), "number": 1, "name": '\u00e4" '}
    ]
    # It is JSON of this version, for the ledger to judge.
    assert [line.get("numbef") for _, line in news.lines if isinstance(line, dict)] == [
        None, 1, None,
    ]  # fmt: skip
    assert news.damaged == [(5, text[:-9])]


def news_seal(text: bytes) -> object:
    return json.loads(text)["sealed"]


def test_a_file_without_a_beginning_is_read_as_far_as_it_makes_sense(path: Path) -> None:
    append(Journal(str(path)), 1, 2)
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
    assert numbers(Journal(str(path))) == [1, 2]


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        append(Journal(str(path)), 1)
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_a_full_disk_leaves_the_journal_whole(path: Path) -> None:
    journal = Journal(str(path))
    append(journal, 1)
    size = path.stat().st_size
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, old[1]))
        with pytest.raises(OSError, match=path.name):
            append(journal, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.stat().st_size == size
    append(journal, 3)
    assert numbers(journal) == [1, 3]


def test_lines_are_plain_json(path: Path) -> None:
    line: Line = {"name": "é\n"}
    assert json.loads(format_line(line)) == {"v": 1, "name": "é\n"}
    assert format_line(line).count(b"\n") == 1
