"""What a run says and where, and what a failed one leaves behind."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.program import (
    COMMAND,
    Program,
    environ_of,
    experiments,
    git_state,
    make_project,
    run,
)
from tests.support.project import write
from tests.support.records import read_record

if TYPE_CHECKING:
    from tests.support.environment import Place
    from tests.support.tools import Tool

FORK = """\
stages:
  good: {cmd: echo good | tee good, outs: [good]}
  bad: {cmd: 'echo trying; exit 3', deps: [good], outs: [bad]}
  below: {cmd: cp bad below, deps: [bad], outs: [below]}
  beside: {cmd: cp good beside, deps: [good], outs: [beside]}
"""


def test_a_failed_stage_keeps_its_log_and_its_record(place: Place, exprun: Tool) -> None:
    make_project(place, FORK)
    before = git_state(place)

    ended = exprun.run(("run", "-n", "e"), place=place)

    assert ended.code == 1
    assert "ERROR: failed to reproduce 'bad': failed to run: echo trying; exit 3, " in ended.stderr
    assert git_state(place) == before
    assert not experiments(place)
    assert not (place.repo / ".gitignore").exists()
    where, again = ended.stderr.partition("logs: ")[2].splitlines()
    logs = Path(where)
    assert again == "  what there was: exprun apply e; to run it again: exprun retry e"
    assert (logs / "bad.log").read_bytes() == b"trying\n"
    record = read_record(str(logs / "bad.log"))
    assert record is not None
    assert (record["failure"], record["exit_code"]) == ("stage-exit", 3)
    good = read_record(str(logs / "good.log"))
    assert good is not None and good["failure"] is None


def test_keep_going_warns_and_skips_what_is_below(place: Place, exprun: Tool) -> None:
    make_project(place, FORK)

    ended = exprun.run(("repro", "-k", "-j", "2"), place=place)

    assert ended.code == 1
    assert "WARNING: failed to run: echo trying; exit 3, exited with 3\n" in ended.stderr
    assert "WARNING: Stage 'below' will be skipped due to this failure\n" in ended.stderr
    assert "ERROR: failed to reproduce 'bad'" in ended.stderr
    assert (place.repo / "beside").exists()


def test_stages_at_a_time_tell_whose_each_line_is(place: Place, exprun: Tool) -> None:
    make_project(place, FORK)

    ended = exprun.run(("repro", "-k", "-j", "2"), place=place)

    lines = ended.stdout.splitlines()
    assert {"good: > echo good | tee good", "good | good", "bad | trying"} <= {*lines}
    assert lines.index("Running stage 'good':") < lines.index("good | good")


def test_a_line_that_a_failed_attempt_left_open_is_its_own(place: Place, exprun: Tool) -> None:
    script = "printf tried; test -e again || { touch again; exit 1; }; touch o\n"
    stage = "{cmd: sh s.sh, outs: [o], meta: {exprun: {retries: 1}}}"
    make_project(place, f"stages:\n  s: {stage}\n", write("s.sh", script))

    alone = exprun.run(("repro", "-j", "2"), place=place).stdout.splitlines()
    (place.repo / "again").unlink()
    command = ("run", "-f", "--temp", "-S", "+x=1,2", "-j", "2")
    many = exprun.run(command, place=place).stdout.splitlines()

    assert alone.count("s | tried") == 2
    assert len([line for line in many if line.endswith(":s | tried")]) == 4


def test_ignored_errors_are_warnings(place: Place, exprun: Tool) -> None:
    make_project(place, FORK)

    ended = exprun.run(("repro", "--ignore-errors", "bad", "beside"), place=place)

    assert ended.code == 0, ended
    assert "exited with 3 (ignored)\n" in ended.stderr


def test_quiet_leaves_the_stages_and_errors(place: Place, exprun: Tool) -> None:
    make_project(place, FORK)

    good = exprun.run(("run", "-q", "-n", "e", "good"), place=place)
    bad = exprun.run(("run", "-q", "-n", "f"), place=place)

    assert (good.code, good.stdout, good.stderr) == (0, "good\n", "")
    assert (bad.code, bad.stdout) == (1, "trying\n")
    assert bad.stderr.startswith("ERROR: failed to reproduce 'bad'")


def test_verbose_traces_on_standard_error(place: Place, exprun: Tool) -> None:
    make_project(place, FORK)

    some = exprun.run(("run", "-v", "-n", "e", "good"), place=place)
    more = exprun.run(("run", "-vv", "-n", "f", "-f", "good"), place=place)

    assert (some.code, more.code) == (0, 0)
    assert "StageFinished" in some.stderr
    assert "StageOutput" not in some.stderr
    assert "StageOutput" in more.stderr
    assert "StageFinished" not in some.stdout + more.stdout


def test_the_json_log_is_one_object_a_line(place: Place, exprun: Tool) -> None:
    make_project(place, FORK)

    exprun.run(("run", "-n", "e", "--log-json", "../log.json"), place=place)

    told = [json.loads(line) for line in (place.root / "log.json").read_text().splitlines()]
    names = [event["event"] for event in told]
    assert names[0] == "ExperimentStarted"
    assert names[-1] == "ExperimentFinished"
    failed = next(e for e in told if e["event"] == "StageFinished" and e["result"] == "failed")
    assert (failed["stage"], failed["failure"]) == ("bad", "stage-exit")
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))


NOWHERE = {
    "no directory": ("no/such/dir", "there is no directory '{repo}/no/such'"),
    "a directory": (".dvc", "it is a directory"),
    "no name": ("", "it is a directory"),
    "a name that is too long": ("x" * 300, "File name too long"),
}


def test_an_experiment_that_the_system_fails_has_ended(place: Place, exprun: Tool) -> None:
    make_project(place, "stages:\n  s: {cmd: echo 1 > o, outs: [o]}\n")
    (place.repo / "conf").symlink_to("nowhere")

    ended = exprun.run(("run", "-S", "conf/p.yaml:+lr=1", "--events", "../events"), place=place)

    assert ended.code == 3, ended
    started, finished = map(json.loads, (place.root / "events").read_text().splitlines())
    assert (started["event"], finished["event"]) == ("ExperimentStarted", "ExperimentFinished")
    assert finished["reason"].endswith("conf: file exists")


@pytest.mark.parametrize("option", ["--log-json", "--events"])
@pytest.mark.parametrize("nowhere", NOWHERE)
def test_a_file_for_events_that_cannot_be_opened_stops_before_anything(
    place: Place, exprun: Tool, option: str, nowhere: str
) -> None:
    make_project(place, FORK)
    name, why = NOWHERE[nowhere]

    for command in (("run", "-n", "e"), ("repro",)):
        ended = exprun.run((*command, option, name), place=place)

        assert ended.code == 2, ended
        assert ended.stderr.startswith("ERROR: events cannot be written to '")
        assert ended.stderr.endswith(f"{name}': {why.format(repo=place.repo)}\n")
        assert not (place.repo / "good").exists()


@pytest.mark.parametrize("option", ["--log-json", "--events"])
def test_no_sweep_is_queued_if_its_events_cannot_be_written(
    place: Place, exprun: Tool, option: str
) -> None:
    make_project(place, FORK, write("params.yaml", "lr: 1\n"))

    ended = exprun.run(("run", "-S", "lr=2,3", option, "no/such/dir"), place=place)

    assert ended.code == 2, ended
    assert not (place.repo / ".dvc/tmp/exprun/queue/journal.jsonl").exists()


def test_a_file_for_events_is_found_from_where_the_command_is_said_to_start(place: Place) -> None:
    make_project(place, FORK, write("sub/file", ""))

    files = ("--log-json", "log.json", "--events", "events.json")
    run(place, "--cd", "sub", "run", "../dvc.yaml:good", *files)

    assert (place.repo / "sub/log.json").stat().st_size
    assert (place.repo / "sub/events.json").stat().st_size


@pytest.mark.parametrize("option", ["--log-json", "--events"])
def test_a_full_file_for_events_does_not_fail_the_run(
    place: Place, exprun: Tool, option: str
) -> None:
    make_project(place, FORK)

    ended = exprun.run(("run", "-n", "e", option, "/dev/full", "good"), place=place)

    assert ended.code == 0, ended
    assert "WARNING: events are no longer shown: " in ended.stderr
    assert experiments(place) == ["e"]


def test_a_reader_that_goes_away_ends_the_run_as_it_does_others(place: Place) -> None:
    make_project(place, FORK)
    before = git_state(place)
    with Program(place, "run", "-n", "e") as program:
        assert program.process.stdout
        assert program.process.stdout.readline() == b"Reproducing experiment 'e'\n"
        program.process.stdout.close()
        program.process.stdout = None
        ended = program.end()

    assert ended.code == 128 + 13, ended
    assert "Traceback" not in ended.stderr
    assert git_state(place) == before
    assert not experiments(place)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_missing_streams_do_no_harm(place: Place, closed: str) -> None:
    make_project(place, "stages:\n  s: {cmd: 'echo o; echo e >&2; cat > o', outs: [o]}\n")

    done = subprocess.run(
        ["sh", "-c", f"exec {shlex.join(COMMAND)} run -n e {closed}"],
        cwd=place.repo,
        env=environ_of(place),
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == 0, done
    assert experiments(place) == ["e"]
    assert (place.repo / "o").read_bytes() == b""


@pytest.mark.parametrize("closed", ["1>&-", "2>&-"])
def test_the_version_is_told_to_nobody(place: Place, closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {shlex.join(COMMAND)} --version {closed}"],
        env=environ_of(place),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "args",
    [
        ("run", "-n", "e"),
        ("run", "-n", "e", "--events", "-"),
        ("queue", "status"),
        ("--version",),
        ("--help",),
        ("run", "--help"),
        ("queue", "hold", "--help"),
    ],
    ids=" ".join,
)
def test_output_that_cannot_be_written_is_an_environment_error(
    place: Place, args: tuple[str, ...], unbuffered: str
) -> None:
    make_project(place, "stages:\n  s: {cmd: echo > o, outs: [o]}\n")

    with open("/dev/full", "wb") as full:
        ended = run(place, *args, stdout=full, env={"PYTHONUNBUFFERED": unbuffered})

    assert ended.code == 3, ended
    assert "Exception ignored" not in ended.stderr
    assert experiments(place) == (["e"] if "-n" in args else [])


def test_nothing_is_run_without_a_project(place: Place) -> None:
    ended = run(place, "run")

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("ERROR: ")


@pytest.mark.parametrize(
    ("words", "proposed"),
    {
        ("stauts",): "did you mean `exprun status`?",
        ("exp", "run", "-f"): "did you mean `exprun run`?",
        ("experiments", "show"): "did you mean `exprun show`?",
        ("exp",): "see `exprun --help`",
        ("exp", "save"): "for that there is `dvc exp save`",
        ("save",): "for that there is `dvc exp save`",
        ("push", "-j", "4"): "for that there is `dvc push` or `dvc exp push`",
    }.items(),
)
def test_who_types_what_dvc_has_is_told_where_it_is(
    place: Place, exprun: Tool, words: tuple[str, ...], proposed: str
) -> None:
    ended = exprun.run(words, place=place)

    assert ended.code == 2, ended
    assert ended.stderr == f"ERROR: there is no command '{words[0]}'\n  {proposed}\n"
