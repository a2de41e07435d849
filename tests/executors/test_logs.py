"""Names of log files, and the records beside the logs."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.executors.logs import (
    file_name,
    log_path,
    open_log,
    record_of,
    records_path,
    write_record,
)
from exprun.model.job import (
    CancelReason,
    Exited,
    FailureClass,
    Killed,
    Leftover,
    Lost,
    NotStarted,
    TimedOut,
)
from tests.support.records import read_record

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.model.job import JobOutcome

NAMES = st.text(max_size=300)


@given(NAMES, NAMES)
@settings(max_examples=100, deadline=None)
def test_names_are_safe_and_differ_as_stages_do(one: str, other: str) -> None:
    name = file_name(one)
    assert name and "/" not in name and "\0" not in name and not name.startswith(".")
    assert name.isascii() and len(name) <= 200
    assert (name == file_name(other)) == (one == other)


def test_ordinary_names_stay_readable(tmp_path: Path) -> None:
    assert log_path("logs", "train@cnn") == "logs/train@cnn.log"
    assert file_name("sub/dvc.yaml:a") == "sub%2Fdvc.yaml%3Aa"
    assert file_name("..") == "%2E."


def test_a_log_appends_and_is_private(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "logs" / "s.log")
    for text in (b"one", b"two"):
        descriptor = open_log(path)
        os.write(descriptor, text)
        os.close(descriptor)
    with open(path, "rb") as file:
        assert file.read() == b"onetwo"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "deep" / "logs").st_mode) == 0o700


def test_a_log_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "s.log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        open_log(str(tmp_path / "s.log"))
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Exited(code=0, duration_s=1.5), {"failure": None, "exit_code": 0, "duration_s": 1.5}),
        (Exited(code=3, duration_s=0), {"failure": "stage-exit", "exit_code": 3}),
        (Killed(signal=9, duration_s=0), {"failure": "signal", "signal": "SIGKILL"}),
        (Killed(signal=50, duration_s=0), {"failure": "signal", "signal": "SIG50"}),
        (TimedOut(timeout_s=1, duration_s=1), {"failure": "timeout", "exit_code": None}),
        (NotStarted(reason="no", duration_s=0), {"failure": "setup", "message": "no"}),
        (Lost(reason="gone", duration_s=0), {"failure": "lost", "message": "gone"}),
        (
            Killed(signal=2, duration_s=0, cancelled=CancelReason.INTERRUPTED),
            {"failure": "interrupted", "signal": "SIGINT", "cancelled": "interrupted"},
        ),
    ],
)
def test_a_record_tells_how_the_stage_ended(
    tmp_path: Path, outcome: JobOutcome, expected: dict[str, object]
) -> None:
    log = str(tmp_path / "s.log")
    assert read_record(log) is None
    write_record(log, record_of("s", outcome))
    fields = read_record(log)
    assert fields is not None
    assert fields | expected == fields
    assert os.listdir(tmp_path) == ["ended.jsonl"]
    assert stat.S_IMODE(os.stat(records_path(log)).st_mode) == 0o600


def test_a_record_names_what_was_left_and_what_was_missing(tmp_path: Path) -> None:
    log = str(tmp_path / "s.log")
    left = Leftover(pid=7, name="sleep \udcff", ended_by="SIGKILL", survived=True)
    outcome = Exited(code=0, duration_s=0, leftovers=(left,))
    record = record_of("s", outcome, failure=FailureClass.MISSING_OUTPUT, message="no 'out'")
    write_record(log, record)
    fields = read_record(log)
    assert fields is not None
    assert (fields["failure"], fields["message"]) == ("missing-output", "no 'out'")
    assert fields["leftovers"] == [
        {"pid": 7, "name": "sleep \udcff", "ended_by": "SIGKILL", "survived": True}
    ]


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\xff"])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    log = str(tmp_path / "s.log")
    (tmp_path / "ended.jsonl").write_text(text, encoding="latin-1")
    assert read_record(log) is None


def test_each_log_has_its_own_record_and_a_torn_one_harms_no_other(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one.log"), str(tmp_path / "other.log")
    for code in (1, 2):
        write_record(one, record_of("one", Exited(code=code, duration_s=0)))
    with open(records_path(one), "a", encoding="ascii") as file:
        file.write('{"version": 2, "log": "other.log"')
    assert read_record(other) is None
    found = read_record(one)
    assert found is not None and found["exit_code"] == 2


def test_no_room_leaves_no_part_of_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = str(tmp_path / "one.log"), str(tmp_path / "other.log")
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:9]))
        with pytest.raises(OSError, match="No space left"):
            write_record(one, record_of("one", Exited(code=0, duration_s=0)))
    write_record(other, record_of("other", Exited(code=0, duration_s=0)))
    assert read_record(one) is None
    assert read_record(other) is not None
