"""What others do while experiments run: Git's housekeeping, DVC, the user, another exprun."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exprun.git.experiment_refs import ExperimentRef
from tests.support.program import (
    PATIENCE_S,
    Gate,
    Program,
    environ_of,
    experiments,
    git,
    git_state,
    make_project,
    run,
)
from tests.support.project import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.environment import Place
    from tests.support.program import Ended
    from tests.support.tools import Tool

# Says that it runs, and waits for a line.
PIPELINE = """\
stages:
  s:
    cmd: echo $DVC_EXP_NAME > {root}/gate; read line < {root}/go; cat params.yaml code > out
    deps: [code]
    params: [lr]
    outs: [out]
"""


@pytest.fixture
def gate(place: Place) -> Iterator[Gate]:
    make_project(
        place,
        PIPELINE.format(root=place.root),
        write("params.yaml", "lr: 0\n"),
        write("code", "committed\n"),
    )
    with Gate(place.root / "gate") as gate:
        yield gate


def _queue(place: Place, *rates: str) -> None:
    queued = run(place, "run", "--queue", "-n", "e", "-S", f"lr={','.join(rates)}")
    assert queued.code == 0, queued


def _queue_later(place: Place, seen: Gate) -> None:
    """Queue one more; who has `seen` that has seen all that was done to the queue before."""
    assert run(place, "run", "--queue", "-n", "later").code == 0
    while '"later"' not in seen.passed():
        continue


def _states(place: Place) -> dict[str, str]:
    rows = json.loads(run(place, "queue", "status", "--json").stdout)
    return {row["name"]: row["status"] for row in rows}


def test_housekeeping_during_a_run_loses_nothing(place: Place, gate: Gate) -> None:
    (place.repo / "code").write_text("edited\n")
    _queue(place, "1", "2", "3")
    with (
        Gate(place.root / "go") as _,
        Program(place, "run", "--run-all", "-j", "2") as program,
    ):
        gate.passed(), gate.passed()
        git(place, "stash")
        git(place, "reflog", "expire", "--expire=now", "--all")
        git(place, "pack-refs", "--all", "--prune")
        git(place, "gc", "--quiet", "--prune=now")
        git(place, "stash", "pop")
        before = git_state(place)
        (place.root / "go").write_text("\n\n\n")
        ended = program.end()

    assert ended.code == 0, ended
    git(place, "gc", "--quiet", "--prune=now")
    assert set(experiments(place)) == {"e-1", "e-2", "e-3"}
    for ref in git(place, "for-each-ref", "--format=%(refname)", "refs/exps/??/*/*").split():
        assert git(place, "show", f"{ref}:code") == "edited\n"
    assert git_state(place) == before
    assert (place.repo / "code").read_text() == "edited\n"
    git(place, "fsck", "--strict", "--no-dangling")


def test_what_the_user_does_meanwhile_is_no_concern_of_the_run(place: Place, gate: Gate) -> None:
    _queue(place, "1", "2")
    with Gate(place.root / "go") as _, Program(place, "run", "--run-all") as program:
        gate.passed()
        (place.repo / "code").write_text("later\n")
        (place.repo / "dvc.yaml").write_text("stages: [")
        git(place, "commit", "--quiet", "-a", "-m", "later")
        git(place, "checkout", "--quiet", "-b", "other")
        before = git_state(place)
        (place.root / "go").write_text("\n\n")
        ended = program.end()

    assert ended.code == 0, ended
    assert git_state(place) == before
    for ref in git(place, "for-each-ref", "--format=%(refname)", "refs/exps/??/*/*").split():
        assert git(place, "show", f"{ref}:code") == "committed\n"


def test_two_that_run_all_share_the_work(place: Place, gate: Gate) -> None:
    _queue(place, "1", "2", "3", "4")
    with (
        Gate(place.root / "go") as _,
        Program(place, "run", "--run-all") as one,
        Program(place, "run", "--run-all") as other,
    ):
        names = [gate.passed(), gate.passed()]
        (place.root / "go").write_text("\n" * 4)
        names += [gate.passed(), gate.passed()]
        ends = [one.end(), other.end()]

    assert [ended.code for ended in ends] == [0, 0], ends
    assert sorted(names) == ["e-1", "e-2", "e-3", "e-4"]
    assert gate.is_empty()
    assert sorted(experiments(place)) == sorted(names)


def test_one_takes_over_from_another_that_is_killed(place: Place, gate: Gate) -> None:
    _queue(place, "1", "2", "3", "4")
    with Gate(place.root / "go") as _, Program(place, "run", "--run-all") as killed:
        left = gate.passed()
        with Program(place, "run", "--run-all", "-j", "4") as other:
            began = [gate.passed()]
            killed.send(signal.SIGKILL)
            # What it had started, and what it had made ready.
            began += [gate.passed(), gate.passed(), gate.passed()]
            # What it had left running does not read any more.
            (place.root / "go").write_text("\n" * 4)
            ended = other.end()

    assert ended.code == 0, ended
    assert gate.is_empty()
    assert left in began
    assert sorted(began) == ["e-1", "e-2", "e-3", "e-4"]
    assert sorted(experiments(place)) == sorted(began)


def test_a_sweep_that_is_run_at_once_heeds_the_queue_s_commands(place: Place, gate: Gate) -> None:
    with (
        Gate(place.root / "go") as _,
        Program(place, "run", "-n", "e", "-S", "lr=1,2,3") as sweep,
    ):
        name = gate.passed()
        assert run(place, "queue", "stop").code == 0
        assert run(place, "queue", "kill", name).code == 0
        ended = sweep.end()

    assert (ended.code, gate.is_empty()) == (1, True), ended
    assert ended.stdout.endswith("The queue was told to stop.\n")
    assert _states(place) == {"e-1": "interrupted", "e-2": "queued", "e-3": "queued"}


def test_what_is_released_when_its_turn_is_over_is_run_too(place: Place, gate: Gate) -> None:
    _queue(place, "1", "2", "3")
    assert run(place, "queue", "hold", "e-2").code == 0
    with (
        Gate(place.root / "go") as _,
        Gate(place.root / "events") as seen,
        Program(place, "run", "--run-all", "--events", str(place.root / "events")) as program,
    ):
        assert gate.passed() == "e-1"
        (place.root / "go").write_text("\n")
        assert gate.passed() == "e-3"
        assert run(place, "queue", "release", "e-2").code == 0
        while '"e-2"' not in seen.passed():
            continue
        (place.root / "go").write_text("\n" * 2)
        assert gate.passed() == "e-2"
        assert program.end().code == 0


def test_what_is_put_first_is_next(place: Place, gate: Gate) -> None:
    _queue(place, "1", "2", "3", "4")
    with (
        Gate(place.root / "go") as _,
        Gate(place.root / "events") as seen,
        Program(place, "run", "--run-all", "--events", str(place.root / "events")) as program,
    ):
        assert gate.passed() == "e-1"
        assert run(place, "queue", "first", "e-4").code == 0
        _queue_later(place, seen)
        (place.root / "go").write_text("\n" * 5)
        passed = [gate.passed() for _ in range(4)]
        assert program.end().code == 0

    # One may have been made ready before.
    assert passed in (["e-4", "e-2", "e-3", "later"], ["e-2", "e-4", "e-3", "later"])


def test_what_is_stopped_by_name_is_not_run_by_another(place: Place, gate: Gate) -> None:
    _queue(place, "1", "2")
    with (
        Gate(place.root / "go") as _,
        Gate(place.root / "events") as seen,
        Program(place, "run", "--run-all") as one,
    ):
        assert gate.passed() == "e-1"
        with Program(place, "run", "--run-all", "--events", str(place.root / "events")) as other:
            assert gate.passed() == "e-2"
            assert run(place, "queue", "kill", "e-1").code == 0
            assert one.end().code == 0
            _queue_later(place, seen)
            (place.root / "go").write_text("\n" * 2)
            assert gate.passed() == "later"
            assert other.end().code == 0

    assert gate.is_empty()
    assert _states(place) == {"e-1": "interrupted", "e-2": "success", "later": "success"}


def test_a_sweep_of_which_another_runs_a_part_has_not_failed(place: Place, gate: Gate) -> None:
    with (
        Gate(place.root / "go") as _,
        Program(place, "run", "-n", "e", "-S", "lr=1,2") as sweep,
    ):
        names = [gate.passed()]
        with Program(place, "run", "--run-all") as other:
            names.append(gate.passed())
            (place.root / "go").write_text("\n" * 2)
            assert (sweep.end().code, other.end().code) == (0, 0)
    assert names == ["e-1", "e-2"]


def test_an_experiment_is_stopped_before_its_files_are_there(place: Place, gate: Gate) -> None:
    """A filter of Git's writes them, slowly."""
    slowly = f"echo made > {place.root}/gate; read line < {place.root}/go; cat"
    git(place, "config", "filter.slow.smudge", slowly)
    (place.repo / ".gitattributes").write_text("code filter=slow\n")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "filtered")
    _queue(place, "1")
    with (
        Gate(place.root / "go") as _,
        Gate(place.root / "events") as seen,
        Program(place, "run", "--run-all", "--events", str(place.root / "events")) as program,
    ):
        assert gate.passed() == "made"
        assert run(place, "queue", "kill", "e").code == 0
        _queue_later(place, seen)
        (place.root / "go").write_text("\n" * 3)
        passed = {gate.passed(), gate.passed()}
        ended = program.end()

    assert ended.code == 0, ended
    assert "e" not in passed
    assert _states(place) == {"e": "interrupted", "later": "success"}


def test_dvc_at_the_same_time(place: Place, gate: Gate) -> None:
    _queue(place, "1")
    with Gate(place.root / "go") as _, Program(place, "run", "--run-all") as program:
        gate.passed()
        _dvc(place, "status")
        shown = _dvc(place, "exp", "show", "--json")
        _dvc(place, "gc", "-w", "-f")
        (place.root / "go").write_text("\n")
        ended = program.end()

    assert ended.code == 0, ended
    json.loads(shown)
    listed = _dvc(place, "exp", "list", "--name-only")
    assert listed.split() == ["e"]


def _dvc(place: Place, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args],
        cwd=place.repo,
        env=environ_of(place),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hardlinks_are_locks_where_dvc_is_told_so(place: Place, gate: Gate) -> None:
    (place.repo / ".dvc/config").write_text("[core]\n    hardlink_lock = true\n")
    (place.root / "go").write_text("\n")
    for command in (("run", "-n", "e"), ("repro",), ("apply", "e"), ("run", "--queue")):
        assert run(place, *command).code == 0
        assert not (place.repo / ".dvc/tmp/lock").exists()
        assert not (place.repo / ".dvc/tmp/rwlock.lock").exists()


def test_readers_wait_for_nobody(place: Place, gate: Gate, exprun: Tool) -> None:
    _queue(place, "1")
    with (
        open(place.repo / ".dvc/tmp/lock", "a") as dvc,
        open(place.repo / ".dvc/tmp/exprun/queue/journal.jsonl.lock", "a") as journal,
    ):
        for held in (dvc, journal):
            fcntl.flock(held, fcntl.LOCK_EX)
        for command in (
            ("status",),
            ("stages",),
            ("repro", "--dry"),
            ("show",),
            ("list",),
            ("diff",),
            ("queue", "status"),
            ("logs",),
        ):
            read = exprun.run(command, place=place, timeout_s=PATIENCE_S)
            assert read.code == 0, read
            assert "waiting" not in read.stderr


def _refused_after_waiting(place: Place, meanwhile: Callable[[], object]) -> Ended:
    """How an experiment ends that has waited for DVC's lock, and then may not start any more."""
    (place.repo / ".dvc/tmp").mkdir(exist_ok=True)
    with open(place.repo / ".dvc/tmp/lock", "a") as dvc:
        fcntl.flock(dvc, fcntl.LOCK_EX)
        with Program(place, "run", "-n", "e", "-S", "lr=1") as program:
            assert program.process.stderr
            assert b"waiting for" in program.process.stderr.readline()
            meanwhile()
            before = git_state(place)
            fcntl.flock(dvc, fcntl.LOCK_UN)
            ended = program.end()
    assert ended.code == 2, ended
    assert git_state(place) == before
    return ended


def test_a_name_that_was_taken_while_a_run_waited_is_refused(place: Place, gate: Gate) -> None:
    head = git(place, "rev-parse", "HEAD").strip()
    ref = str(ExperimentRef(head, "e"))
    ended = _refused_after_waiting(place, lambda: git(place, "update-ref", ref, head))
    assert "existing experiment 'e'" in ended.stderr
    assert (place.repo / "params.yaml").read_text() == "lr: 0\n"


def test_parameters_that_were_edited_while_a_run_waited_are_not_overwritten(
    place: Place, gate: Gate
) -> None:
    params = place.repo / "params.yaml"
    ended = _refused_after_waiting(place, lambda: params.write_text("lr: 0  # by hand\n"))
    assert "'params.yaml' was changed while the experiment waited" in ended.stderr
    assert params.read_text() == "lr: 0  # by hand\n"


@pytest.mark.parametrize("command", ["run", "repro"])
@pytest.mark.parametrize("args", [("apply", "done"), ("apply", "--undo")], ids=" ".join)
def test_nothing_is_applied_to_a_workspace_in_which_stages_run(
    place: Place, gate: Gate, command: str, args: tuple[str, ...]
) -> None:
    with Gate(place.root / "go") as _:
        (place.root / "go").write_text("\n")
        assert run(place, "run", "--temp", "-n", "done", "-S", "lr=1").code == 0
        gate.passed()
        assert run(place, "apply", "done").code == 0
        (place.repo / "code").write_text("edited\n")
        with Program(place, command) as program:
            gate.passed()
            before = git(place, "for-each-ref", "refs/exprun"), git_state(place)
            refused = run(place, *args)
            assert (refused.code, refused.stdout) == (2, ""), refused
            words = "runs in the workspace" if command == "run" else "is in use by 'exprun repro'"
            assert words in refused.stderr
            assert (git(place, "for-each-ref", "refs/exprun"), git_state(place)) == before
            assert (place.repo / "code").read_text() == "edited\n"
            (place.root / "go").write_text("\n")
            assert program.end().code == 0
        assert run(place, *args).code == 0


def test_a_torn_and_a_foreign_record_are_named_and_harm_no_other(place: Place, gate: Gate) -> None:
    _queue(place, "1")
    journal = place.repo / ".dvc/tmp/exprun/queue/journal.jsonl"
    with open(journal, "ab") as file:
        file.write(b'\xff\x00 what is this?\n{"v":1,"op":"entry","id":"')
    (journal.parent / "alive/not-a-lease").mkdir()
    ref = place.repo / ".git/refs/exprun/queue/torn"
    ref.write_bytes(b"\0" * 41)
    with Gate(place.root / "go") as _, Program(place, "run", "--run-all") as program:
        gate.passed()
        (place.root / "go").write_text("\n")
        ended = program.end()

    assert ended.code == 0, ended
    assert "damaged" in ended.stderr
    assert experiments(place) == ["e"]
