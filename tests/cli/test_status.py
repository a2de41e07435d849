"""``exprun status`` prints what ``dvc status`` prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.compat.case import flat
from tests.support.project import Chmod, Delete, Write, git, init_dvc, perform

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.forkserver import Finished
    from tests.support.project import Action, Builder
    from tests.support.tools import Tool

EDITS: dict[str, tuple[Action, ...]] = {
    "nothing": (),
    "dependencies": (Write("same.txt", "other\n"), Write("in dir/c", "c\n"), Delete("raw.txt")),
    "params": (
        Write("params.yaml", "lr: 0.2\nmodel: {}\nunused: 2\n"),
        Write("whole.json", '{"a": 1, "d": 2}'),
    ),
    "params file gone": (Delete("whole.json"),),
    "outputs": (
        Delete("clean.txt"),
        Write("cnn.json", "{}"),
        Write("cold.txt", "hot\n"),
        Write("sub/report.txt", "mine\n"),
    ),
    "cache gone": (Delete(".dvc/cache"),),
    "lock gone": (Delete("dvc.lock"),),
    "command": (
        Write("sub/dvc.yaml", "stages:\n  report: {cmd: x, deps: [../cnn.bin], outs: [r]}\n"),
    ),
    "data file edited": (
        Write("raw.txt.dvc", "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: raw.txt\n"),
    ),
    "executable": (Chmod("same.txt", 0o755),),
    "elsewhere": (
        Write(
            "sub/dvc.yaml",
            "datasets: [{name: d, type: url, url: s3://b/x}]\n"
            "stages:\n  report: {cmd: x, deps: ['http://127.0.0.1:1/x', 'ds://d']}\n",
        ),
        Delete("sub/dvc.lock"),
    ),
}


def apply(place: Place, actions: tuple[Action, ...], dvc: Tool) -> None:
    for action in actions:
        perform(action, place, tool=dvc, dvc_tool=dvc, at=0)


def same(place: Place, ours: Finished, theirs: Finished) -> None:
    assert place.normalised(ours.stdout) == place.normalised(theirs.stdout)
    assert place.normalised(ours.stderr) == place.normalised(theirs.stderr)
    assert ours.code == theirs.code


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_says_what_dvc_says(
    place: Place, dvc: Tool, exprun: Tool, edit: tuple[Action, ...]
) -> None:
    apply(place, edit, dvc)
    cwd = "sub" if len(edit) > 1 else "."
    for args in (["status"], ["status", "--json"]):
        ours = exprun.run(args, place=place, cwd=cwd)
        same(place, ours, dvc.run(args, place=place, cwd=cwd))


@pytest.mark.parametrize(
    "args",
    [
        ["train"],
        ["train@cnn", "prepare"],
        ["sub/dvc.yaml:report"],
        ["raw.txt.dvc"],
        ["raw.txt"],
        ["cnn.bin"],
        ["-R", "sub"],
        ["-q"],
        ["-q", "prepare"],
    ],
    ids=" ".join,
)
def test_targets_select_what_they_select_for_dvc(
    place: Place, dvc: Tool, exprun: Tool, args: list[str]
) -> None:
    apply(place, (*EDITS["outputs"], *EDITS["params"]), dvc)
    ours = exprun.run(["status", *args], place=place)
    same(place, ours, dvc.run(["status", *args], place=place))


def test_with_deps_adds_what_the_targets_need(place: Place, dvc: Tool, exprun: Tool) -> None:
    apply(place, (*EDITS["outputs"], *EDITS["params"]), dvc)
    args = ["status", "--json", "-d", "sub/dvc.yaml"]  # as text, DVC's order is that of a set
    found = json.loads(exprun.run(args, place=place).stdout)
    assert found == json.loads(dvc.run(args, place=place).stdout)
    assert list(found) == ["prepare", "train@cnn", "sub/dvc.yaml:report"]


def test_quiet_tells_by_the_exit_code_alone(place: Place, exprun: Tool) -> None:
    unchanged = exprun.run(["status", "-q", "prepare", "cold"], place=place)
    assert (unchanged.code, unchanged.stdout, unchanged.stderr) == (0, "", "")


def test_an_empty_project_is_said_to_be_one(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(flat(git("init", "-q"), init_dvc()), into=tmp_path / "empty")
    same(place, exprun.run(["status"], place=place), dvc.run(["status"], place=place))


def test_verbose_tells_old_and_new_values(place: Place, dvc: Tool, exprun: Tool) -> None:
    apply(place, EDITS["params"], dvc)
    command = "cp clean.txt cnn.bin && echo {} > cnn.json"
    finished = exprun.run(["status", "-v", "train@cnn"], place=place)
    assert finished.stderr.splitlines() == [
        "train@cnn: param lr of params.yaml: 0.1 -> 0.2",
        "train@cnn: param model.depth of params.yaml: deleted",
        "train@cnn: param d of whole.json: new, 2",
        "train@cnn: param b of whole.json: deleted",
        f"train@cnn: command: {command.format(0.1)} -> {command.format(0.2)}",
    ]


def test_a_reason_is_one_line_whatever_the_values_are(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    pipeline = "stages:\n  s: {cmd: echo > o, outs: [o], params: [a, b]}\n"
    start = (
        git("init", "-q"),
        *init_dvc(),
        Write("dvc.yaml", pipeline),
        Write("params.yaml", "a: one\nb: ''\n"),
    )
    place = builder.build(flat(*start), into=tmp_path / "one")
    assert exprun.run(["repro"], place=place).code == 0
    (place.repo / "params.yaml").write_text('a: "You\\nare \\e[31mred"\nb: é\n')

    reasons = [
        r'param a of params.yaml: one -> "You\nare \u001b[31mred"',
        'param b of params.yaml: "" -> é',
    ]
    told = exprun.run(["status", "-v"], place=place).stderr.splitlines()
    assert told == [f"s: {reason}" for reason in reasons]
    planned = exprun.run(["repro", "--dry"], place=place).stdout.splitlines()
    assert planned[2:] == [f"  because {reason}" for reason in reasons]


def test_a_broken_file_is_named_after_what_the_others_say(
    place: Place, dvc: Tool, exprun: Tool
) -> None:
    apply(place, (Write("sub/dvc.yaml", "stages: [\n"), Write("cnn.json", "{}")), dvc)
    finished = exprun.run(["status", "--json"], place=place)
    assert json.loads(finished.stdout)["train@cnn"] == [{"changed outs": {"cnn.json": "modified"}}]
    assert "ERROR: sub/dvc.yaml:" in finished.stderr
    assert finished.code == 2
    assert exprun.run(["status", "train"], place=place).code == 0


def test_an_unknown_target_is_refused(place: Place, exprun: Tool) -> None:
    finished = exprun.run(["status", "trian"], place=place)
    assert (finished.code, finished.stdout) == (2, "")
    assert finished.stderr == (
        "ERROR: stage 'trian' not found inside 'dvc.yaml' file\n  did you mean 'train'?\n"
    )


def test_status_changes_nothing(place: Place, exprun: Tool) -> None:
    git_status = ["git", "status", "--porcelain", "--ignored"]

    def tree() -> str:
        return subprocess.run(
            git_status, cwd=place.repo, env=place.environ(), capture_output=True, text=True
        ).stdout

    before = tree()
    assert exprun.run(["status"], place=place).code == 0
    assert tree() == before


def test_status_imports_nothing_heavy(place: Place) -> None:
    """No library whose import would cost more than all the rest of the command."""
    heavy = "asyncio anyio pygit2 structlog rich ruamel hydra fsspec tomlkit".split()
    code = (
        "import sys; from exprun.cli.main import run; run(['status', '-q']);"
        f" print(*set({heavy!r}) & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place.repo,
        env=place.environ() | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("\n", "")
