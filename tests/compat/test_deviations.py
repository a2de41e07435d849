"""Where exprun differs from DVC on purpose: each row of README's table is held by a test."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.compat.case import flat
from tests.compat.pipelines import CHAINED, TRAINED
from tests.support.held import absent
from tests.support.lines import known_lines
from tests.support.project import commit, dvc, git, init_dvc, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Action, Builder
    from tests.support.tools import Tool

HERE = "compat/test_deviations.py"

# The numbers are those of the list that the project was given; the rest was added by exprun.
HELD_BY = {
    1: (f"{HERE}::test_stages_see_the_users_head_index_and_stash",),
    2: ("compat/test_bad_input.py::test_bad_input_is_named_and_harmless",),
    3: ("faults/test_words.py::test_quiet_leaves_the_stages_and_errors",),
    4: (f"{HERE}::test_a_parameter_named_size_counts",),
    5: (f"{HERE}::test_an_older_result_is_as_good",),
    6: (f"{HERE}::test_few_selected_stages_are_recorded_in_their_order",),
    7: (f"{HERE}::test_the_lock_is_replaced_not_written_over",),
    8: ("compat/test_bad_input.py::test_a_damaged_object_is_never_trusted",),
    9: (f"{HERE}::test_an_output_outside_is_refused_and_not_deleted",),
    10: ("compat/test_run_all.py::test_a_sweep_that_runs_at_once_has_the_trees_of_dvc",),
    11: (
        "faults/test_terminal.py::test_the_foreground_stage_has_the_terminal",
        "executors/test_local.py::test_stdin_is_empty_and_no_descriptor_leaks",
    ),
    12: (
        "live/test_failures_kept.py::test_a_failed_experiment_keeps_its_files_and_can_be_tried_again",
    ),
    13: (f"{HERE}::test_a_relative_remote_is_found_from_an_isolated_run",),
    14: (f"{HERE}::test_top_level_metrics_are_kept_from_a_sub_directory",),
    15: ("queue/test_queue.py::test_a_name_in_use_is_refused_and_nothing_is_queued",),
    16: ("compat/test_bad_input.py::test_a_broken_file_stops_only_what_needs_it",),
    "working outside": (f"{HERE}::test_a_stage_that_works_outside_is_refused_before_it_runs",),
    "unrecorded outputs": (f"{HERE}::test_outputs_that_no_lock_records_are_left_alone",),
    "cannot start": (f"{HERE}::test_a_stage_that_cannot_start_keeps_its_outputs",),
    "assume-unchanged": (
        f"{HERE}::test_what_git_is_to_leave_alone_is_left_alone",
        f"{HERE}::test_edits_that_git_passes_over_are_in_an_isolated_experiment_and_stay",
    ),
    "restored metric": (f"{HERE}::test_an_uncached_metric_is_never_a_link",),
    "remote": (f"{HERE}::test_a_remote_that_is_not_needed_need_not_be_configured",),
    "options of repro": (f"{HERE}::test_an_experiment_takes_the_options_of_repro",),
    "byte-order mark": (f"{HERE}::test_a_byte_order_mark_is_no_part_of_a_configuration",),
    "dependency in .git": (f"{HERE}::test_a_dependency_of_gits_own_is_in_no_tree",),
    "allow missing": (
        f"{HERE}::test_an_output_that_is_not_made_is_a_failure_whatever_may_be_missing",
    ),
    "isolated": (f"{HERE}::test_an_isolated_run_leaves_the_workspace_alone",),
    "line ends of --temp": (f"{HERE}::test_an_isolated_run_has_the_files_as_git_checks_them_out",),
    "hooks": (f"{HERE}::test_no_hook_runs",),
    "empty sweep": ("params/test_sweeps.py::test_an_empty_sweep_is_refused",),
    "names": ("compat/test_bad_input.py::test_bad_input_is_named_and_harmless",),
    "empty command": (f"{HERE}::test_a_stage_without_a_command_copies_nothing",),
    "kinds of repositories": ("faults/test_repositories.py::test_kinds_of_repositories",),
    "file for directory": (f"{HERE}::test_a_file_that_became_a_directory_stays",),
    "link to nowhere": (f"{HERE}::test_an_output_that_links_to_nowhere_is_made_again",),
    "link to a directory": (
        f"{HERE}::test_what_is_behind_a_link_stays_when_an_output_is_restored",
        "store/test_checkout.py::test_from_any_state",
    ),
    "restored directory": (f"{HERE}::test_what_is_right_in_a_restored_directory_stays",),
    "macros": (f"{HERE}::test_an_attribute_counts_that_a_macro_gives",),
    "branch of a commit": (f"{HERE}::test_a_commit_is_no_experiment",),
}


def test_every_deviation_is_held_by_a_test() -> None:
    assert not absent(itertools.chain.from_iterable(HELD_BY.values()))
    assert set(range(1, 17)) <= HELD_BY.keys()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "place"


BEGIN = (git("init", "--quiet", "-b", "main"), *init_dvc())


def _project(builder: Builder, path: Path, *actions: Action | tuple[Action, ...]) -> Place:
    return builder.build(flat(*BEGIN, *actions), into=path)


def _stage(cmd: str, more: str = "outs: [o]") -> tuple[Action, ...]:
    text = f"stages:\n  s:\n    cmd: {cmd}\n    deps: [in]\n    {more}\n"
    return write("in", "1\n"), write("dvc.yaml", text)


def _git(place: Place, *args: str) -> str:
    return subprocess.run(
        ["git", *args], cwd=place.repo, env=place.environ(), capture_output=True, text=True,
        check=True, timeout=30,
    ).stdout  # fmt: skip


def _text(place: Place, name: str) -> str:
    return (place.repo / name).read_text()


def test_stages_see_the_users_head_index_and_stash(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    look = "(git symbolic-ref HEAD; git diff --cached --name-only; git stash list) > o"
    place = _project(
        builder, path, _stage(look), write("f", "1\n"), commit(),
        write("f", "2\n"), git("stash", "--quiet"), write("new", "1\n"), git("add", "new"),
    )  # fmt: skip
    index = (place.repo / ".git/index").read_bytes()

    assert exprun.run(("run", "-n", "e"), place=place).code == 0

    assert _text(place, "o").splitlines()[:2] == ["refs/heads/main", "new"]
    assert "stash@{0}" in _text(place, "o")
    assert (place.repo / ".git/index").read_bytes() == index
    assert "refs/exps/exec" not in _git(place, "for-each-ref")


def test_a_parameter_named_size_counts(builder: Builder, exprun: Tool, path: Path) -> None:
    stage = _stage("cat in params.yaml > o", "params: [size]\n    outs: [o]")
    place = _project(builder, path, stage, write("params.yaml", "size: 1\n"), commit())

    for size in (1, 2, 1):
        assert exprun.run(("run", "-S", f"size={size}"), place=place).code == 0
        assert _text(place, "o") == f"1\nsize: {size}\n"


def test_an_older_result_is_as_good(builder: Builder, exprun: Tool, path: Path) -> None:
    stage = _stage("echo >> ../outside/runs; cat ../outside/runs | wc -l > o")
    place = _project(builder, path, stage, commit())
    for options in ((), ("-f",)):
        assert exprun.run(("repro", *options), place=place).code == 0
    [newest] = (
        file
        for file in (place.repo / ".dvc/cache/files/md5").glob("??/*")
        if file.read_text() == _text(place, "o")
    )
    for name in (newest, "o", "dvc.lock"):
        (place.repo / name).unlink()

    again = exprun.run(("repro",), place=place)

    assert known_lines(again.stdout) == [
        "Stage 's' is cached - skipping run, checking out outputs"
    ], again
    assert _text(place, "o").strip() == "1"


def test_few_selected_stages_are_recorded_in_their_order(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    names = "hgfedcba"
    stages = "".join(f"  {n}:\n    cmd: echo {n} > {n}\n    outs: [{n}]\n" for n in names)
    place = _project(builder, path, write("dvc.yaml", f"stages:\n{stages}"), commit())

    assert exprun.run(("repro", "-j", "2", "a", "g", "d"), place=place).code == 0

    lines = _text(place, "dvc.lock").splitlines()
    assert [line.strip(" :") for line in lines if line in {"  a:", "  g:", "  d:"}] == [*"gda"]


def test_the_lock_is_replaced_not_written_over(builder: Builder, exprun: Tool, path: Path) -> None:
    place = _project(builder, path, TRAINED)
    before = _text(place, "dvc.lock")
    os.link(place.repo / "dvc.lock", place.outside / "old")

    assert exprun.run(("run", "-S", "lr=3"), place=place).code == 0

    assert (place.outside / "old").read_text() == before != _text(place, "dvc.lock")


@pytest.mark.parametrize(
    "output", ["../outside/precious", "{place}/outside/precious", "../link/precious"]
)
def test_an_output_outside_is_refused_and_not_deleted(
    output: str, builder: Builder, exprun: Tool, path: Path
) -> None:
    output = output.format(place=path)
    stage = _stage("echo 1 > x", f"outs: ['{output}']")
    place = _project(builder, path, write("../outside/precious", "work\n"), stage, commit())
    (path / "link").symlink_to("repo")

    assert exprun.run(("run", "-n", "e"), place=place).code == 2

    assert (place.outside / "precious").read_text() == "work\n"
    assert not (place.repo / "x").exists()


@pytest.mark.parametrize("options", [(), ("--temp",)])
def test_a_stage_that_works_outside_is_refused_before_it_runs(
    options: tuple[str, ...], builder: Builder, exprun: Tool, dvc: Tool, path: Path
) -> None:
    text = "{wdir: ../outside, cmd: echo 1 > ../repo/o, deps: [in], outs: [../repo/o]}"
    stage = write("dvc.yaml", f"stages:\n  s: {text}\n")
    place = _project(builder, path, write("../outside/in", "1\n"), stage, commit())

    refused = exprun.run(("run", *options), place=place)

    assert refused.code == 2
    assert "works outside of the project: in '../outside'" in refused.stderr
    assert not (place.repo / "o").exists()
    done = dvc.run(("exp", "run"), place=place)
    assert "outside' is outside of DVC repo" in done.stderr
    assert (place.repo / "o").exists()


def test_a_stage_that_works_outside_runs_where_nothing_is_kept_as_in_dvc(
    builder: Builder, exprun: Tool, dvc: Tool, path: Path
) -> None:
    text = "{wdir: ../outside, cmd: echo 1 > ../repo/o, deps: [in], outs: [../repo/o]}"
    stage = write("dvc.yaml", f"stages:\n  s: {text}\n")
    place = _project(builder, path, write("../outside/in", "1\n"), stage, commit())

    made = []
    for tool in (dvc, exprun):
        done = tool.run(("repro", "--no-commit"), place=place)
        made.append([(place.repo / name).read_bytes() for name in ("dvc.lock", ".gitignore", "o")])
        for name in ("dvc.lock", ".gitignore", "o"):
            (place.repo / name).unlink()
        assert done.code == 0

    assert made[0] == made[1]


def test_a_relative_remote_is_found_from_an_isolated_run(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    remote = "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../outside/remote\n"
    place = _project(
        builder, path, write("d", "1\n"), dvc("add", "-q", "d"), write(".dvc/config", remote),
        write("dvc.yaml", "stages:\n  s: {cmd: cat d > o, deps: [d], outs: [o]}\n"),
        commit(), dvc("push", "-q"),
    )  # fmt: skip
    (place.repo / "d").unlink()
    subprocess.run(["rm", "-rf", str(place.repo / ".dvc/cache")], check=True, timeout=30)

    finished = exprun.run(("run", "--temp", "--pull", "-n", "e"), place=place)

    assert finished.code == 0, finished


def test_who_brings_what_another_repository_holds_is_told(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(
        builder, path, git("init", "-q", "-b", "main", "../outside/lib"),
        write("../outside/lib/d", "1\n"), git("add", "d", cwd="../outside/lib"),
        git("commit", "-qm", "lib", cwd="../outside/lib"),
        dvc("import", "-q", "../outside/lib", "d"),
        write("dvc.yaml", "stages:\n  s: {cmd: cat d > o, deps: [d], outs: [o]}\n"), commit(),
    )  # fmt: skip
    (place.repo / "d").unlink()
    subprocess.run(["rm", "-rf", str(place.repo / ".dvc/cache")], check=True, timeout=30)

    finished = exprun.run(("run", "--pull", "-n", "e"), place=place)

    assert finished.code == 1
    assert "dvc pull d.dvc" in finished.stderr


def test_a_dry_run_tells_what_would_be_pulled(builder: Builder, exprun: Tool, path: Path) -> None:
    """DVC pulls it, dry or not."""
    remote = "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../outside/remote\n"
    stages = "stages:\n  s: {cmd: cat d > o, deps: [d], outs: [o]}\n"
    stages += "  t: {cmd: cat o > p, deps: [o], outs: [p]}\n"
    place = _project(
        builder, path, write("d", "1\n"), write(".dvc/config", remote), write("dvc.yaml", stages),
        dvc("repro", "-q"), dvc("push", "-q"), commit(),
    )  # fmt: skip
    for name in ("o", "p"):
        (place.repo / name).unlink()
    subprocess.run(["rm", "-rf", str(place.repo / ".dvc/cache")], check=True, timeout=30)

    told = exprun.run(("repro", "--pull", "--dry"), place=place).stdout.splitlines()

    done = exprun.run(("repro", "--pull"), place=place).stdout.splitlines()
    pulls = [f"Pulling data for stage: '{name}'" for name in "st"]
    assert [line for line in told if not line.startswith(" ")] == pulls
    assert [line for line in done if line][:2] == pulls


def test_top_level_metrics_are_kept_from_a_sub_directory(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    text = "metrics: [m.json]\nstages:\n  s:\n    cmd: echo {} > m.json\n"
    place = _project(builder, path, write("dvc.yaml", text), write("sub/f", ""), commit())

    assert exprun.run(("run", "-n", "e", "../dvc.yaml:s"), place=place, cwd="sub").code == 0

    ref = _git(place, "for-each-ref", "--format=%(refname)", "refs/exps").strip()
    assert _git(place, "show", f"{ref}:m.json") == "{}\n"


def test_outputs_that_no_lock_records_are_left_alone(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(builder, path, CHAINED)
    (place.repo / "dvc.lock").unlink()
    (place.repo / "prepared").rename(place.repo / "elsewhere")
    (place.repo / "score.txt").write_text("by hand")

    # Nothing makes `prepared` again, so the run ends before it comes to `evaluate`.
    assert exprun.run(("run", "-s", "train", "evaluate"), place=place).code == 1

    assert _text(place, "score.txt") == "by hand"


@pytest.mark.parametrize("command", [("repro",), ("run",), ("repro", "-f")])
def test_a_stage_that_cannot_start_keeps_its_outputs(
    command: tuple[str, ...], builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(builder, path, TRAINED)
    before = _text(place, "model.bin"), _text(place, "metrics.json")
    (place.repo / "code.py").unlink()

    assert exprun.run(command, place=place).code == 1

    assert (_text(place, "model.bin"), _text(place, "metrics.json")) == before


def test_an_output_that_is_not_made_is_a_failure_whatever_may_be_missing(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(builder, path, _stage("cat in"), commit())

    finished = exprun.run(("run", "-n", "e", "--allow-missing"), place=place)

    assert finished.code == 1
    assert "output 'o' does not exist" in finished.stderr
    assert not (place.repo / "dvc.lock").exists()


def test_its_dependents_do_not_get_them_if_they_run_all_the_same(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(builder, path, CHAINED)
    (place.repo / "data.txt").unlink()

    assert exprun.run(("repro", "--ignore-errors"), place=place).code == 0

    assert not any((place.repo / name).exists() for name in ("prepared", "model", "score.txt"))
    assert (place.repo / "lone.txt").exists()


def test_an_isolated_run_leaves_the_workspace_alone(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(
        builder, path, TRAINED, write("d", "1\n"), dvc("add", "-q", "d"), write(".gitignore", ""),
        write("more.yaml", "a: 1\n"),
    )  # fmt: skip
    status = _git(place, "status", "--porcelain")
    index = (place.repo / ".git/index").read_bytes()

    finished = exprun.run(("run", "--temp", "-n", "e", "-S", "more.yaml:a=2"), place=place)

    assert finished.code == 0, finished
    assert _text(place, ".gitignore") == ""
    assert _text(place, "more.yaml") == "a: 1\n"
    assert (place.repo / ".git/index").read_bytes() == index
    assert _git(place, "status", "--porcelain") == status


def test_an_isolated_run_has_the_files_as_git_checks_them_out(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(
        builder, path, git("config", "core.autocrlf", "true"),
        _stage("wc -c < in > o", "metrics: [{o: {cache: false}}]"), commit(),
    )  # fmt: skip

    assert exprun.run(("run", "--temp", "-n", "e"), place=place).code == 0

    ref = _git(place, "for-each-ref", "--format=%(refname)", "refs/exps").strip()
    assert _text(place, "in") == "1\n"
    assert _git(place, "show", f"{ref}:o").strip() == "3"


@pytest.mark.parametrize("hook", ["post-commit", "post-checkout", "reference-transaction"])
def test_no_hook_runs(hook: str, builder: Builder, exprun: Tool, path: Path) -> None:
    script = "#!/bin/sh\ntouch ../outside/ran\n"
    place = _project(builder, path, TRAINED, write(f".git/hooks/{hook}", script, 0o755))

    assert exprun.run(("run", "-S", "lr=2"), place=place).code == 0
    assert exprun.run(("run", "--temp", "-S", "lr=3"), place=place).code == 0

    assert os.listdir(place.outside) == []


def test_a_stage_without_a_command_copies_nothing(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(builder, path, _stage("''"), write("o", "by hand\n"), commit())

    exprun.run(("run", "-n", "e"), place=place)

    assert _text(place, "o") == "by hand\n"


def test_edits_that_git_passes_over_are_in_an_isolated_experiment_and_stay(
    builder: Builder, exprun: Tool, dvc: Tool, path: Path
) -> None:
    mark = git("update-index", "--skip-worktree", "code.py", "f")
    start = (TRAINED, write("f", "1\n"), commit(), mark)
    trees = []
    path.mkdir()
    for tool in (dvc, exprun):
        place = _project(builder, path / tool.name, *start)
        for name in ("code.py", "f"):
            (place.repo / name).write_text("by hand\n")
        assert tool.run((*tool.experiment_command, "--temp", "-n", "e"), place=place).code == 0
        ref = _git(place, "for-each-ref", "--format=%(refname)", "refs/exps").strip()
        trees.append(_git(place, "rev-parse", f"{ref}^{{tree}}"))
        assert _git(place, "show", f"{ref}:f") == "by hand\n"

    assert trees[0] == trees[1]
    assert _text(place, "f") == _text(place, "code.py") == "by hand\n"
    assert _git(place, "ls-files", "-v", "f") == "S f\n"


def test_what_git_is_to_leave_alone_is_left_alone(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    mark = git("update-index", "--assume-unchanged", "f")
    place = _project(builder, path, TRAINED, write("f", "1\n"), commit(), mark)
    (place.repo / "f").write_text("by hand\n")

    assert exprun.run(("run", "-S", "lr=2"), place=place).code == 0

    assert _text(place, "f") == "by hand\n"


def test_an_uncached_metric_is_never_a_link(builder: Builder, exprun: Tool, path: Path) -> None:
    config = write(".dvc/config", "[cache]\n    type = symlink\n")
    place = _project(builder, path, config, TRAINED)
    made = _text(place, "metrics.json")
    (place.repo / "metrics.json").write_text("by hand\n")

    assert exprun.run(("repro", "--no-commit"), place=place).code == 0

    assert _text(place, "metrics.json") == made
    assert not (place.repo / "metrics.json").is_symlink()
    assert (place.repo / "model.bin").is_symlink()


def test_an_experiment_takes_the_options_of_repro(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(builder, path, _stage("date +%s%N > o"), commit())

    def result(*options: str) -> str:
        (place.repo / "dvc.lock").unlink(missing_ok=True)
        assert exprun.run(("run", *options), place=place).code == 0
        return _text(place, "o")

    first = result("--glob", "s*")
    assert result() == first
    second = result("--no-run-cache")
    assert second != first
    objects = place.repo / ".dvc/cache/files"
    before = sorted(objects.rglob("*"))
    assert result("--no-run-cache", "--no-commit") not in (first, second)
    assert sorted(objects.rglob("*")) == before


@pytest.mark.parametrize("where", ["--temp", "--queue"])
def test_outputs_are_not_lost_for_want_of_a_commit(
    where: str, builder: Builder, exprun: Tool, path: Path
) -> None:
    place = _project(builder, path, TRAINED)

    ended = exprun.run(("run", "--no-commit", where, "-S", "lr=3"), place=place)

    assert ended.code == 2
    assert "would be lost" in ended.stderr


@pytest.mark.parametrize("command", [("repro",), ("run",), ("run", "--temp")])
def test_a_remote_that_is_not_needed_need_not_be_configured(
    command: tuple[str, ...], builder: Builder, exprun: Tool, path: Path
) -> None:
    stage = _stage("cat in > o", "outs: [{o: {remote: elsewhere}}]")
    place = _project(builder, path, stage, commit())

    assert exprun.run(command, place=place).code == 0


def test_a_byte_order_mark_is_no_part_of_a_configuration(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    config = "\ufeff[cache]\n    dir = ../../outside/cache\n"
    place = _project(builder, path, write(".dvc/config", config), _stage("cat in > o"), commit())

    assert exprun.run(("run",), place=place).code == 0

    assert os.listdir(place.outside / "cache")


@pytest.mark.parametrize("options", [(), ("--temp",)])
def test_a_dependency_of_gits_own_is_in_no_tree(
    options: tuple[str, ...], builder: Builder, exprun: Tool, path: Path
) -> None:
    text = "stages:\n  s:\n    cmd: cat .git/HEAD > o\n    deps: [.git/HEAD]\n    outs: [o]\n"
    place = _project(builder, path, write("dvc.yaml", text), commit())

    assert exprun.run(("run", "-n", "e", *options), place=place).code == 0

    ref = _git(place, "for-each-ref", "--format=%(refname)", "refs/exps").strip()
    names = _git(place, "ls-tree", "-r", "--name-only", ref).splitlines()
    assert "dvc.lock" in names
    assert ".git/HEAD" not in names


def test_a_file_that_became_a_directory_stays(builder: Builder, exprun: Tool, path: Path) -> None:
    place = _project(builder, path, TRAINED, write("thing", "file\n"), commit())
    (place.repo / "thing").unlink()
    (place.repo / "thing").mkdir()
    (place.repo / "thing/inside").write_text("work\n")

    assert exprun.run(("run", "-S", "lr=2"), place=place).code == 0

    assert _text(place, "thing/inside") == "work\n"


def test_an_output_that_links_to_nowhere_is_made_again(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    config = write(".dvc/config", "[cache]\n    type = symlink\n")
    place = _project(builder, path, config, _stage("cat in > o"), dvc("repro"), commit())
    (place.repo / "o").resolve().unlink()

    assert exprun.run(("run",), place=place).code == 0

    assert _text(place, "o") == "1\n"


def test_what_is_behind_a_link_stays_when_an_output_is_restored(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    made = _stage("mkdir o && cp in o/x")
    place = _project(builder, path, made, dvc("repro"), commit(), write("mine/file", "work\n"))
    shutil.rmtree(place.repo / "o")
    (place.repo / "o").symlink_to("mine")

    assert exprun.run(("run",), place=place).code == 0

    assert _text(place, "mine/file") == "work\n"
    assert _text(place, "o/x") == "1\n"
    assert os.listdir(place.repo / "o") == ["x"]


def test_what_is_right_in_a_restored_directory_stays(
    builder: Builder, exprun: Tool, path: Path
) -> None:
    config = write(".dvc/config", "[cache]\n    type = copy\n")
    made = _stage("mkdir o && cp in o/tool && cp in o/x && chmod +x o/tool")
    place = _project(builder, path, config, made, dvc("repro"), commit())
    (place.repo / "o/x").unlink()

    assert exprun.run(("repro",), place=place).code == 0

    assert _text(place, "o/x") == "1\n"
    assert os.access(place.repo / "o/tool", os.X_OK)


def test_an_attribute_counts_that_a_macro_gives(builder: Builder, exprun: Tool, path: Path) -> None:
    attributes = write(".gitattributes", "[attr]dos text eol=crlf\n*.txt dos\n")
    place = _project(
        builder, path, attributes, write("note.txt", "1\r\n2\r\n"), _stage("cat in > o"), commit()
    )
    (place.repo / "note.txt").write_bytes(b"1\r\n3\r\n")

    assert exprun.run(("run", "-n", "e"), place=place).code == 0

    reference = _git(place, "for-each-ref", "--format=%(refname)", "refs/exps").strip()
    size = _git(place, "cat-file", "-s", f"{reference}:note.txt")
    assert int(size) == len("1\n3\n")


def test_a_commit_is_no_experiment(builder: Builder, exprun: Tool, path: Path) -> None:
    place = _project(builder, path, TRAINED)
    assert exprun.run(("run", "-n", "e", "-S", "lr=2"), place=place).code == 0

    assert exprun.run(("branch", "HEAD", "b"), place=place).code == 2

    assert "refs/heads/b" not in _git(place, "for-each-ref")
