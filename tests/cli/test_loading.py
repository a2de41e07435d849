"""What makes a DVC file unusable besides its own text: lock files and outputs that are ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.project import Delete, Write, perform, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Action, Builder
    from tests.support.tools import Tool

IGNORED: dict[str, tuple[list[Action], str]] = {
    "lock file": (
        [Write(".gitignore", "dvc.lock\n")],
        "dvc.lock: this lock file is ignored by Git",
    ),
    "lock file that does not exist": (
        [Write("sub/.gitignore", "*.lock\n"), Delete("sub/dvc.lock")],
        "sub/dvc.lock: this lock file is ignored by Git",
    ),
    "output": (
        [Write(".dvcignore", "*.bin\n")],
        "dvc.yaml: output 'cnn.bin' is ignored by .dvcignore",
    ),
    "output in an ignored directory": (
        [write("sub/.dvcignore", "*\n!*.dvc*\n!dvc.yaml\n")],
        "sub/dvc.yaml: output 'report.txt' is ignored by .dvcignore",
    ),
    "added data": (
        [Write(".dvcignore", "raw.txt\n")],
        "raw.txt.dvc: output 'raw.txt' is ignored by .dvcignore",
    ),
    "by the user": (
        [Write("../home/.config/git/ignore", "dvc.lock\n")],
        "dvc.lock: this lock file is ignored by Git",
    ),
}


@pytest.mark.parametrize(("actions", "message"), IGNORED.values(), ids=IGNORED)
def test_what_is_ignored_is_refused_as_by_dvc(
    place: Place, dvc: Tool, exprun: Tool, actions: list[Action], message: str
) -> None:
    for action in actions:
        perform(action, place, tool=dvc, dvc_tool=dvc, at=0)
    assert dvc.run(["status"], place=place).code != 0
    finished = exprun.run(["status"], place=place)
    assert finished.code == 2
    assert f"ERROR: {message}\n  " in finished.stderr
    assert exprun.run(["repro", "-P"], place=place).code == 2


def test_a_nested_project_may_be_an_output(place: Place, dvc: Tool, exprun: Tool) -> None:
    for action in (
        Write("nested/.dvc/config", ""),
        Write("sub/dvc.yaml", "stages:\n  s: {cmd: x, outs: [../nested]}\n"),
    ):
        perform(action, place, tool=dvc, dvc_tool=dvc, at=0)
    assert dvc.run(["status", "-q", "sub/dvc.yaml"], place=place).code == 1
    assert exprun.run(["status", "-q", "sub/dvc.yaml"], place=place).code == 1


def test_without_git_its_ignore_files_do_not_count(place: Place, dvc: Tool, exprun: Tool) -> None:
    for action in (
        Write(".gitignore", "dvc.lock\n"),
        Write(".dvc/config", "[core]\n    no_scm = true\n"),
    ):
        perform(action, place, tool=dvc, dvc_tool=dvc, at=0)
    assert dvc.run(["status", "prepare"], place=place).code == 0
    assert exprun.run(["status", "prepare"], place=place).code == 0


def test_without_git_nobody_is_told_to_add_to_it(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    start = (
        Write(".dvc/config", "[core]\n    no_scm = true\n"),
        Write("dvc.yaml", "stages:\n  s: {cmd: echo > o, outs: [o]}\n"),
    )
    told = [
        tool.run(["repro"], place=builder.build(start, into=tmp_path / tool.name))
        for tool in (dvc, exprun)
    ]
    assert told[0] == told[1]
    assert "git add" not in told[0].stdout
    for how in ((), ("--queue",), ("--temp",), ("--dry",)):
        refused = exprun.run(["run", *how], place=builder.build(start, into=tmp_path / "one"))
        assert refused.code == 2
        assert refused.stderr == (
            "ERROR: experiments need Git, and core.no_scm turns it off\n"
            "  git init && dvc config --unset core.no_scm\n"
        )


def test_an_ignored_pipeline_file_cannot_be_a_target(place: Place, dvc: Tool, exprun: Tool) -> None:
    perform(Write(".gitignore", "/sub\n"), place, tool=dvc, dvc_tool=dvc, at=0)
    assert dvc.run(["status", "sub/dvc.yaml"], place=place).code != 0
    finished = exprun.run(["status", "sub/dvc.yaml"], place=place)
    assert finished.code == 2
    assert finished.stderr.startswith(
        "ERROR: sub/dvc.yaml: this DVC file is not part of the project\n  it is ignored by Git"
    )
