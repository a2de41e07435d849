"""``exprun show`` beside ``dvc exp show``."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.results.projects import LINES, RICH, SMALL
from tests.support.program import git as git_of
from tests.support.project import commit, git, init_dvc, run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Builder
    from tests.support.tools import Tool

SUBDIR = (
    git("init", "-q"),
    write("README", "a project below\n"),
    write("metrics.json", "{}"),
    *init_dvc("below"),
    write("below/params.yaml", "lr: 1\n"),
    write("below/.dvcignore", "skipped\n"),
    write("below/skipped/dvc.yaml", "this: is not looked at\n"),
    write(
        "below/inner/dvc.yaml",
        "stages:\n  s:\n    cmd: cp ../params.yaml m.yaml\n"
        "    deps: [../params.yaml]\n    metrics: [m.yaml]\nparams: [q.yaml]\n",
    ),
    write("below/inner/q.yaml", "q: [1, 2]\n"),
    *commit("first"),
    run("-q", "-n", "deep", "-S", "params.yaml:lr=2", "inner/dvc.yaml", cwd="below"),
)

BROKEN = (
    git("init", "-q"),
    *init_dvc(),
    write("dvc.yaml", "stages:\n  s:\n    cmd: [\n"),
    *commit("broken"),
    write("dvc.yaml", "stages:\n  s:\n    cmd: echo\n"),
)

UNUSABLE_PARAMS = (
    git("init", "-q"),
    *init_dvc(),
    write("dvc.yaml", "stages:\n  s:\n    cmd: echo\n"),
    write("params.yaml", "lr: 1\n"),
    *commit("fine"),
    write("params.yaml", "[1, 2]\n"),
    *commit("no map"),
    write("params.yaml", "lr: 2\n"),
    *commit("fine again"),
)


def shown(tool: Tool, place: Place, *args: str, cwd: str = ".") -> str:
    command = ("exp", "show") if tool.name == "dvc" else ("show",)
    done = tool.run((*command, *args), place=place, cwd=cwd)
    assert done.code == 0, done.stderr
    return done.stdout


def states(tool: Tool, place: Place, *args: str, cwd: str = ".") -> Any:
    """The parsed JSON; DVC's messages about unreadable files lose a relative path to nowhere."""
    text = shown(tool, place, "--json", *args, cwd=cwd)
    text = re.sub(r"'(\.\./)+([^']*)', (\w+) file structure is corrupted'", r"'\2'", text)
    return json.loads(text, parse_constant=str)


def in_order(value: Any) -> Any:
    """`value` as something that also compares the order of keys."""
    if isinstance(value, dict):
        return [(key, in_order(inner)) for key, inner in value.items()]
    return [in_order(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def rich(builder: Builder, tmp_path: Path) -> Place:
    return builder.build(RICH, into=tmp_path / "place")


@pytest.mark.parametrize(
    "args",
    [(), ("-A",), ("-n", "2"), ("--rev", "v1", "--sha"), ("-T", "-a", "--hide-workspace")],
    ids=" ".join,
)  # fmt: skip
def test_the_json_is_that_of_dvc(
    rich: Place, dvc: Tool, exprun: Tool, args: tuple[str, ...]
) -> None:
    expected = in_order(states(dvc, rich, *args))

    assert in_order(states(exprun, rich, *args)) == expected
    assert in_order(states(exprun, rich, *args)) == expected, "what is remembered differs"


def test_what_was_remembered_long_ago_is_forgotten(
    builder: Builder, tmp_path: Path, exprun: Tool
) -> None:
    place = builder.build(SMALL, into=tmp_path / "place")
    shown(exprun, place)
    directory = place.repo / ".dvc/tmp/exprun/results"
    files = set(directory.iterdir())
    old, recent = directory / ("0" * 40), directory / ("1" * 40)
    for file in (old, recent):
        file.write_text("")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    for file in files:
        file.unlink()

    shown(exprun, place)

    assert set(directory.iterdir()) == files | {recent}


def test_what_experiments_have_in_common_is_kept_once(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    deps = [f"data/{number}.csv" for number in range(50)]
    runs = [run("-q", "-n", f"e{lr}", "-S", f"lr={lr}") for lr in range(3)]
    project = (
        git("init", "-q"),
        *init_dvc(),
        *(write(dep, dep) for dep in deps),
        write("params.yaml", "lr: 9\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp params.yaml out\n    params: [lr]\n    outs: [out]\n"
            f"    deps: [{', '.join(deps)}]\n",
        ),
        *commit("first"),
        *runs,
    )
    place = builder.build(project, into=tmp_path / "place")
    expected = in_order(states(dvc, place))

    assert in_order(states(exprun, place)) == expected
    assert in_order(states(exprun, place)) == expected
    [kept] = (place.repo / ".dvc/tmp/exprun/results").iterdir()
    assert kept.read_text().count(deps[7]) <= 2, (
        "in the baseline, where nothing is recorded, and once"
    )


def test_param_deps_leaves_out_other_parameters_in_every_row(
    rich: Place, dvc: Tool, exprun: Tool
) -> None:
    theirs = states(dvc, rich, "--param-deps", "--rev", "HEAD~1")
    ours = states(exprun, rich, "--param-deps", "--rev", "HEAD~1")

    assert ours[0] == theirs[0]
    assert ours[1]["experiments"] == theirs[1]["experiments"]
    # DVC forgets the option for baselines.
    assert list(ours[1]["data"]["params"]["params.yaml"]["data"]) == ["lr"]


def test_csv_and_markdown_are_those_of_dvc(rich: Place, dvc: Tool, exprun: Tool) -> None:
    tables: tuple[tuple[str, ...], ...] = (
        ("--csv", "-A"),
        ("--csv", "--only-changed", "--drop", "plain", "--keep", "Cre"),
    )
    for args in tables:
        expected = list(csv.reader(io.StringIO(shown(dvc, rich, *args))))
        assert list(csv.reader(io.StringIO(shown(exprun, rich, *args)))) == expected
    sorted_by = ("--md", "-A", "--sort-by", "lr")
    assert shown(exprun, rich, *sorted_by) == shown(dvc, rich, *sorted_by)
    # DVC takes --precision for CSV only.
    assert "| 0.17 " in shown(exprun, rich, "--md", "--precision", "2")


def test_a_project_below_the_repository(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(SUBDIR, into=tmp_path / "place")

    expected = states(dvc, place, cwd="below")

    assert in_order(states(exprun, place, cwd="below")) == in_order(expected)
    assert states(exprun, place, cwd="below/inner") == expected


def test_a_broken_commit_is_a_row_with_an_error(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(BROKEN, into=tmp_path / "place")

    workspace, head = states(exprun, place)

    theirs_workspace, theirs_head = states(dvc, place)
    assert workspace == theirs_workspace
    assert head["error"]["type"] == theirs_head["error"]["type"]
    assert "dvc.yaml:" in head["error"]["msg"]
    assert {**head, "error": None} == {**theirs_head, "error": None}


def test_each_commit_is_judged_by_its_own_parameters(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(UNUSABLE_PARAMS, into=tmp_path / "place")

    _, *ours = states(exprun, place, "-n", "3")

    _, *theirs = states(dvc, place, "-n", "3")
    assert [state["data"] for state in ours] == [state["data"] for state in theirs]
    assert [state["error"] is None for state in ours] == [True, False, True]


def test_the_table_ends_where_a_shallow_clone_does(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(UNUSABLE_PARAMS, into=tmp_path / "place")
    origin = place.root / "origin"
    place.repo.rename(origin)
    place.repo.mkdir()
    git_of(place, "clone", "-q", "--depth=1", f"file://{origin}", ".")

    for count in ("3", "-1"):
        ours = states(exprun, place, "-n", count)
        assert len(ours) == 2
        assert ours == states(dvc, place, "-n", count)


def test_an_experiment_without_its_baseline_stays_in_the_table(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(UNUSABLE_PARAMS, into=tmp_path / "place")
    head = git_of(place, "rev-parse", "HEAD").strip()
    alone = git_of(place, "commit-tree", "-m", "alone", "HEAD^{tree}").strip()
    git_of(place, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/alone", alone)

    first = states(exprun, place)

    assert states(exprun, place) == first
    [ours], [theirs] = (rows[-1]["experiments"] for rows in (first, states(dvc, place)))
    assert [rev["name"] for rev in ours["revs"]] == [rev["name"] for rev in theirs["revs"]]


def test_the_plain_table_shows_every_experiment(rich: Place, exprun: Tool) -> None:
    text = shown(exprun, rich, "-A", "--drop", "[^E].*")

    rows = [re.sub(r"[0-9a-f]{7} ", "", line) for line in text.splitlines()]
    assert rows[:3] == ["Experiment", "workspace", "main"]
    assert [row[:4] for row in rows[3:]] == ["├── ", "└── ", "v1", "└── ", rows[-1][:4]]
    assert sorted(row[4:] for row in rows[3:5]) == ["[three]", "[two]"]
    assert rows[6] == "└── [one]"


def test_a_cell_may_have_several_lines(
    builder: Builder, tmp_path: Path, dvc: Tool, exprun: Tool
) -> None:
    place = builder.build(LINES, into=tmp_path / "place")

    assert shown(exprun, place, "--md") == shown(dvc, place, "--md")
    assert [line.split() for line in shown(exprun, place, "--drop", "Cre").splitlines()] == [
        ["Experiment", "lr", "prompt"],
        ["workspace", "1", "You", "are"],
        ["a", "|", "bot"],
        ["main", "1", "You", "are"],
        ["a", "|", "bot"],
    ]


def test_what_a_file_holds_does_not_command_the_terminal(
    builder: Builder, tmp_path: Path, exprun: Tool
) -> None:
    place = builder.build(LINES, into=tmp_path / "place")
    (place.repo / "params.yaml").write_text(
        'lr: "\\e[31mred\\x07"\nprompt: "a\\tb"\n"x\\e[1m": 1\n'
    )

    for text in (shown(exprun, place), exprun.run(("diff",), place=place).stdout):
        assert "\\x1b[31mred\\x07 " in text
        assert "a       b" in text
        assert "x\\x1b[1m" in text
        assert "\x1b" not in text


def test_what_cannot_be_asked_is_refused(rich: Place, exprun: Tool) -> None:
    refused: tuple[tuple[tuple[str, ...], str], ...] = (
        (("--rev", "nothing"), "unknown Git revision 'nothing'"),
        (("--sort-by", "acc"), "ambiguous sort column 'acc'"),
        (("--sort-by", "accu"), "unknown sort column 'accu'\n  did you mean 'acc'?"),
        (("--drop", "a", "--drop", "("), "invalid pattern 'a' or '(': "),
        (("--precision", "-2"), "--precision: must be a whole number, not '-2'"),
        (("--precision", "9" * 12), "--precision: must be at most 1000, not 999999999999"),
    )
    for args, words in refused:
        done = exprun.run(("show", *args), place=rich)
        assert done.code == 2
        assert words in done.stderr


def test_what_a_queued_experiment_starts_from_is_read_once(
    builder: Builder, exprun: Tool, tmp_path: Path
) -> None:
    place = builder.build(UNUSABLE_PARAMS, into=tmp_path / "place")
    done = exprun.run(("run", "--queue", "-n", "waits", "-S", "lr=3"), place=place)
    assert done.code == 0, done.stderr

    first = states(exprun, place)

    [range] = first[-1]["experiments"]
    assert range["revs"][0]["data"]["params"] == {"params.yaml": {"data": {"lr": 3}}}
    [kept] = (path for path in place.root.rglob(".dvc/**/results/*") if path.is_file())
    assert range["revs"][0]["rev"] in kept.read_text()
    assert states(exprun, place) == first
