"""``exprun diff`` beside ``dvc exp diff``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.results.projects import LINES, RICH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.project import Builder
    from tests.support.tools import Tool


def test_json_is_that_of_dvc(builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool) -> None:
    place = builder.build(RICH, into=tmp_path / "place")
    for args in ((), ("two",), ("one", "three"), ("--all", "HEAD~2", "one")):
        theirs = dvc.run(("exp", "diff", "--json", *args), place=place)
        ours = exprun.run(("diff", "--json", *args), place=place)
        assert ours.code == 0, ours.stderr
        assert json.loads(ours.stdout, parse_constant=str) == json.loads(
            theirs.stdout, parse_constant=str
        )


def test_tables_are_those_of_dvc(builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool) -> None:
    place = builder.build(RICH, into=tmp_path / "place")
    for args in (
        ("two", "three"),
        ("--md", "two", "three"),
        ("--no-path", "--md"),
        ("--md", "one", "one"),
    ):
        theirs = dvc.run(("exp", "diff", *args), place=place)
        ours = exprun.run(("diff", *args), place=place)
        assert sorted(ours.stdout.splitlines()) == sorted(theirs.stdout.splitlines())
    assert exprun.run(("diff", "one", "nobody"), place=place).code == 2


def test_a_cell_may_have_several_lines(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(LINES, into=tmp_path / "place")
    (place.repo / "params.yaml").write_text("lr: 2\nprompt: |\n  You are\n  not\n  a bot\n")
    for args in ((), ("--md",)):
        theirs = dvc.run(("exp", "diff", *args), place=place)
        ours = exprun.run(("diff", *args), place=place)
        assert [line.rstrip() for line in ours.stdout.splitlines()] == [
            line.rstrip() for line in theirs.stdout.splitlines()
        ]


def test_digits_that_cannot_be_shown_are_refused(
    builder: Builder, tmp_path: Path, exprun: Tool
) -> None:
    place = builder.build(RICH, into=tmp_path / "place")
    for number in ("-1", "x", "9" * 12):
        refused = exprun.run(("diff", "--precision", number), place=place)
        assert refused.code == 2
        assert f"--precision: must be {'at most' if number[0] == '9' else 'a whole'}" in (
            refused.stderr
        )
