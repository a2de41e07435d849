"""`status` and `repro` repeat an answer, and only while it would still be given."""

from __future__ import annotations

import builtins
import io
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from exprun.cli.main import run
from exprun.project.answers import Question, ask
from tests.cli.test_status import apply
from tests.support.project import Chmod, Delete, Git, MakeDirectory, Symlink, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Action
    from tests.support.tools import Tool

# The frozen stage is warned about, and the clock never is up to date.
TARGETS = ("prepare", "train@cnn", "sub/dvc.yaml:report", "raw.txt.dvc")

EDITS: dict[str, tuple[Action, ...]] = {
    "dependency": (Write("in dir/a", "A\n"),),
    "dependency, same size": (Write("raw.txt", "war\n"),),
    "file in a directory": (Write("in dir/c", "c\n"),),
    "file gone from a directory": (Delete("in dir/b"),),
    "parameter": (Write("params.yaml", "lr: 0.2\nmodel:\n  depth: 2\nunused: 1\n"),),
    "parameters file gone": (Delete("whole.json"),),
    "output": (Write("sub/report.txt", "mine\n"),),
    "output gone": (Delete("cnn.json"),),
    "cache gone": (Delete(".dvc/cache"),),
    "lock gone": (Delete("sub/dvc.lock"),),
    "data file": (Write("raw.txt.dvc", "outs:\n- md5: 0123456789abcdef0\n  path: raw.txt\n"),),
    "pipeline": (Write("sub/dvc.yaml", "stages:\n  report: {cmd: x, outs: [report.txt]}\n"),),
    "broken pipeline": (Write("sub/dvc.yaml", "stages: [\n"),),
    "pipeline that clashes": (
        Write("new/dvc.yaml", "stages:\n  s: {cmd: x, outs: [../clean.txt]}\n"),
    ),
    "ignore file": (Write(".dvcignore", "sub\n"),),
    "ignore file inside": (Write("sub/.dvcignore", "report.txt\n"),),
    "ignore file in data": (Write("in dir/.dvcignore", "a\n"),),
    "ignored by Git": (Write(".gitignore", "/sub\n"),),
    "ignored by Git inside": (Write("sub/.gitignore", "dvc.yaml\n"),),
    "excluded": (Write(".git/info/exclude", "/sub\n"),),
    "excludes file": (Git(("config", "core.excludesFile", "whole.json")),),
    "nested project": (MakeDirectory("sub/.dvc"),),
    "configuration": (Write(".dvc/config.local", "[cache]\n    dir = elsewhere\n"),),
    "broken configuration": (Write(".dvc/config", "[core\n"),),
    "linked data": (Delete("in dir"), MakeDirectory("in dir"), Symlink("in dir/a", "../same.txt")),
    "no repository": (Delete(".git"),),
    "unreadable": (Chmod("in dir", 0o000),),
}


@pytest.fixture
def settled(place: Place, exprun: Tool) -> Place:
    """The project, with answers to both commands kept."""
    for command in ("repro", "status"):
        # Until the clock of the file system has ticked, what was only just written is too young.
        while _recall(place, command) is None:
            assert exprun.run([command, *TARGETS], place=place).code == 0
    return place


def _recall(place: Place, command: str, cwd: str = ".") -> str | None:
    question = ask([command, *TARGETS], cwd=str(place.repo / cwd), env=place.environ())
    assert question is not None
    return question.recall()


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_no_answer_outlives_a_change(
    settled: Place, dvc: Tool, exprun: Tool, edit: tuple[Action, ...]
) -> None:
    apply(settled, edit, dvc)
    assert _recall(settled, "status") is None
    assert _recall(settled, "repro") is None


def test_what_is_repeated_is_what_was_said(settled: Place, exprun: Tool) -> None:
    for command in ("status", "repro"):
        repeated = exprun.run([command, *TARGETS], place=settled)
        assert repeated.stdout == _recall(settled, command)
        (settled.repo / f".dvc/tmp/exprun/answer-{command}").unlink()
        assert exprun.run([command, *TARGETS], place=settled) == repeated


def test_an_answer_is_to_one_question(settled: Place) -> None:
    env, cwd = settled.environ(), str(settled.repo)
    for words in (["status"], ["status", *TARGETS, "cold"], ["repro", "prepare"]):
        question = ask(words, cwd=cwd, env=env)
        assert question is not None and question.recall() is None
    question = ask(["status", *TARGETS], cwd=cwd, env=env | {"XDG_CONFIG_HOME": "/x"})
    assert question is not None and question.recall() is None
    assert _recall(settled, "status", cwd="sub") is None
    assert ask(["status", "--json"], cwd=cwd, env=env) is None
    assert ask(["status"], cwd="/", env=env) is None


def test_what_a_killed_run_left_is_seen_to_first(settled: Place) -> None:
    running = settled.repo / ".dvc/tmp/exprun/running"
    running.mkdir()
    (running / ("0" * 32)).touch()
    assert _recall(settled, "repro") is None


@pytest.mark.parametrize("damage", [b"", b"exprun-answer/1\0", b"\xff" * 100])
def test_a_damaged_answer_is_none(settled: Place, damage: bytes) -> None:
    (settled.repo / ".dvc/tmp/exprun/answer-status").write_bytes(damage)
    assert _recall(settled, "status") is None


@pytest.mark.parametrize("length", [0.2, 0.5, 0.9, 0.999])
def test_a_torn_answer_is_none(settled: Place, length: float) -> None:
    path = settled.repo / ".dvc/tmp/exprun/answer-status"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * length)])
    assert _recall(settled, "status") is None


def test_answers_brought_along_do_not_count(settled: Place) -> None:
    state = settled.repo / ".dvc/tmp/exprun"
    state.rename(state.with_name("theirs"))
    state.mkdir()
    (state.with_name("theirs") / "answer-status").rename(state / "answer-status")
    assert _recall(settled, "status") is None


def test_a_file_that_changes_meanwhile_keeps_no_answer(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    question = ask(["status"], cwd=str(tmp_path), env={})
    assert question is not None
    file, began = tmp_path / "file", time.time_ns()
    file.touch()
    question.keep("too young", [str(file)], began_ns=began - 10**9)
    assert question.recall() is None
    question.keep("settled", [str(file)], began_ns=began + 10**10)
    assert question.recall() == "settled"
    file.unlink()
    assert question.recall() is None
    question.keep("only just gone", [str(file)], began_ns=began - 10**9)
    assert question.recall() is None


def test_directories_that_the_environment_names_relatively(place: Place, exprun: Tool) -> None:
    for name in ("XDG_CONFIG_HOME", "HOME", "DVC_GLOBAL_CONFIG_DIR"):
        done = exprun.run(["status", *TARGETS], place=place, env={name: "nowhere"})
        assert (done.code, done.stderr) == (0, "")
        assert _recall(place, "status") is None


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Every path that is read, listed or looked at."""
    paths: set[str] = set()

    def noting(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(path, str | bytes | os.PathLike):
                paths.add(os.path.normpath(os.path.abspath(os.fsdecode(path))))
            return original(path, *args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("stat", "lstat", "scandir", "listdir", "open", "readlink", "access"):
            patch.setattr(os, name, noting(getattr(os, name)))
        patch.setattr(builtins, "open", noting(open))
        patch.setattr(io, "open", noting(open))
        yield paths


@pytest.mark.parametrize("command", ["status", "repro"])
def test_an_answer_rests_on_all_that_was_looked_at(
    place: Place, monkeypatch: pytest.MonkeyPatch, touched: set[str], command: str
) -> None:
    for name, value in place.environ().items():
        monkeypatch.setenv(name, value)
    looked_at: set[str] = set()
    keep = Question.keep

    def keep_and_note(question: Question, *args: Any, **kwargs: Any) -> None:
        looked_at.update(touched)
        keep(question, *args, **kwargs)

    monkeypatch.setattr(Question, "keep", keep_and_note)
    answer = place.repo / f".dvc/tmp/exprun/answer-{command}"
    # What was only just written is too young.
    while not answer.exists():
        looked_at.clear()
        touched.clear()
        assert run(["--cd", str(place.repo), command, *TARGETS]) == 0
    ours = str(place.repo / ".dvc/tmp")
    seen = {path for path in looked_at if path.startswith((str(place.root), "/etc/"))}
    kept = answer.read_bytes().decode().split("\0")
    # Of a directory above something that is there, all that counted was that it is one.
    above = {os.path.dirname(path) for path in kept if os.path.exists(path)}
    # What is not in a directory cannot come without a change of that directory.
    absent = {path for path in seen if not os.path.exists(path) and os.path.dirname(path) in kept}
    assert {path for path in seen if not path.startswith(ours)} <= {*kept, *above, *absent}
