"""The n-th system call of a kind fails, or is exprun's last, for n = 1, 2, 3 … until none is hit.

In this order SQLite is tested. `EXPRUN_FAULT_STEPS=all` tries each n (some half an hour); unless it
is set, n grows in strides.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.faults.bench import Fault, make_bench
from tests.support.program import git, git_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.bench import Bench
    from tests.support.tools import Tool

EVERY = os.environ.get("EXPRUN_FAULT_STEPS") == "all"
_MOST = 10_000
# An error that does not tell which file it is about.
_NAMELESS = re.compile(
    r"(system|'[^'/]*'|recorded|\]): (no space left|input/output error)", re.IGNORECASE
)


@pytest.fixture(scope="module")
def queued(tmp_path_factory: pytest.TempPathFactory, failing_exprun: Tool) -> Bench:
    return make_bench(tmp_path_factory.mktemp("queued"), failing_exprun, experiments=2)


@pytest.fixture(scope="module")
def stored(queued: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench whose experiments have been run."""
    bench = queued.copy(tmp_path_factory.mktemp("stored") / "place")
    bench.finish()
    return bench


def _accidents(
    start: Bench, root: Path, kind: str, error: int, stride: int, *command: str
) -> Iterator[Bench]:
    """Copies of `start` in each of which `command` met with its accident."""
    for number in range(1, _MOST, 1 if EVERY else stride):
        bench = start.copy(root / f"at-{number}")
        ended = bench.run(*command, fault=Fault(kind=kind, number=number, error=error))
        assert ended.code in ((0, 1, 3) if error else (0, -9)), ended
        assert "Traceback" not in ended.stderr
        assert not _NAMELESS.search(ended.stderr), ended
        yield bench
        if not bench.was_hit:
            assert ended.code == 0, ended
            assert number > 1, "there is no call of this kind"
            return


@pytest.mark.timeout(1800 if EVERY else 120)
@pytest.mark.parametrize(
    ("kind", "error", "stride"),
    [
        ("write", errno.ENOSPC, 29),
        ("write", errno.EIO, 41),
        ("fsync", errno.EIO, 11),
        ("rename", errno.EIO, 7),
        ("create", errno.ENOSPC, 37),
        ("open", errno.EMFILE, 211),
        ("unlink", errno.EIO, 29),
        ("fork", errno.EAGAIN, 1),
        ("thread", errno.EAGAIN, 1),
        ("change", 0, 71),
    ],
)
def test_run_all(queued: Bench, tmp_path: Path, kind: str, error: int, stride: int) -> None:
    for bench in _accidents(queued, tmp_path, kind, error, stride, "run", "--run-all", "-j", "2"):
        bench.require_promises()
        if error == errno.EAGAIN:
            assert "failed" not in bench.states().values()
        bench.finish()


@pytest.mark.timeout(1800 if EVERY else 120)
@pytest.mark.parametrize(
    ("kind", "error", "stride"),
    [
        ("write", errno.ENOSPC, 13),
        ("fsync", errno.EIO, 5),
        ("rename", errno.EIO, 3),
        ("create", errno.ENOSPC, 13),
        ("change", 0, 29),
    ],
)
def test_a_run_in_the_workspace(
    queued: Bench, tmp_path: Path, kind: str, error: int, stride: int
) -> None:
    command = ("run", "-n", "here", "-S", "lr=9")
    whole = queued.copy(tmp_path / "whole")
    assert whole.run(*command).code == 0
    before = _git_state(queued)
    for bench in _accidents(queued, tmp_path, kind, error, stride, *command):
        assert _git_state(bench) == before
        git(bench.place, "fsck", "--strict", "--no-dangling")
        bench.require_true_objects()
        # Whether the run itself is listed as failed depends on how far it came.
        states = [state for name, state in bench.states().items() if name != "here"]
        assert set(states) == {"queued"}
        if bench.stored() == {}:
            assert bench.run(*command).code == 0
        assert bench.stored() == whole.stored()
        assert bench.state_of_the_user() == whole.state_of_the_user()


def test_for_want_of_descriptors_nothing_is_called_a_bad_request(
    stored: Bench, tmp_path: Path
) -> None:
    for bench in _accidents(stored, tmp_path, "open", errno.EMFILE, 1, "list"):
        assert bench.state_of_the_user() == bench.before


def test_what_was_applied_in_part_can_be_taken_back(stored: Bench, tmp_path: Path) -> None:
    before, halves = stored.state_of_the_user(), 0
    whole = stored.copy(tmp_path / "whole")
    assert whole.run("apply", "e-1").code == 0
    for number in range(1, _MOST):
        bench = stored.copy(tmp_path / f"at-{number}")
        fault = Fault(kind="create", number=number, error=errno.ENOSPC)
        ended = bench.run("apply", "e-1", fault=fault)
        if not bench.was_hit:
            break
        if bench.state_of_the_user() not in (before, whole.state_of_the_user()):
            halves += 1
            assert ended.code in (1, 3)
            if ended.code == 3:
                assert "what the workspace held: exprun apply --undo\n" in ended.stderr
            assert bench.run("apply", "--undo").code == 0
            assert bench.state_of_the_user() == before
    assert halves


@pytest.mark.timeout(1800 if EVERY else 120)
@pytest.mark.parametrize("where", [["--temp"], []], ids=["temp", "workspace"])
def test_what_is_stored_has_not_failed_because_something_cannot_be_removed(
    queued: Bench, tmp_path: Path, where: list[str]
) -> None:
    command = ("run", "-n", "here", "-S", "lr=9", *where)
    for number in range(1, _MOST, 1 if EVERY else 3):
        bench = queued.copy(tmp_path / f"at-{number}")
        fault = Fault(kind="unlink", number=number, error=errno.EROFS)
        ended = bench.run(*command, fault=fault)
        assert (ended.code == 0) == bool(bench.stored()), ended
        if not bench.was_hit:
            break


@pytest.mark.timeout(1800 if EVERY else 120)
@pytest.mark.parametrize(
    ("kind", "error", "stride"), [("change", 0, 3), ("write", errno.ENOSPC, 3)]
)
def test_what_was_taken_back_in_part_is_taken_back_by_the_same_command(
    stored: Bench, tmp_path: Path, kind: str, error: int, stride: int
) -> None:
    start = stored.copy(tmp_path / "start")
    (start.place.repo / "in").write_text("mine\n")
    before = start.state_of_the_user()
    assert start.run("apply", "e-1").code == 0
    for bench in _accidents(start, tmp_path, kind, error, stride, "apply", "--undo"):
        if bench.state_of_the_user() != before:
            assert bench.run("apply", "--undo").code == 0
        assert bench.state_of_the_user() == before


@pytest.mark.timeout(1800 if EVERY else 120)
@pytest.mark.parametrize(
    ("kind", "error", "stride"),
    [
        ("write", errno.ENOSPC, 3),
        ("fsync", errno.EIO, 2),
        ("rename", errno.EIO, 2),
        ("create", errno.ENOSPC, 5),
    ],
)
def test_what_is_refused_is_not_queued(
    queued: Bench, tmp_path: Path, kind: str, error: int, stride: int
) -> None:
    command = ("run", "--queue", "-n", "more", "-S", "lr=7,8")
    for bench in _accidents(queued, tmp_path, kind, error, stride, *command):
        more = bench.states().keys() - queued.trees.keys()
        assert bench.state_of_the_user() == bench.before
        git(bench.place, "fsck", "--strict", "--no-dangling")
        if more:
            assert more == {"more-1", "more-2"}
        else:
            assert bench.was_hit
            assert bench.run(*command).code == 0
        ended = bench.run("run", "--run-all")
        assert ended.code == 0, ended
        assert bench.stored().keys() == queued.trees.keys() | {"more-1", "more-2"}


@pytest.mark.timeout(1800 if EVERY else 120)
@pytest.mark.parametrize(
    ("command", "stride"),
    [
        (("apply", "e-1"), 7),
        (("remove", "e-1"), 5),
        (("rename", "e-1", "new"), 5),
        (("branch", "e-1", "new"), 5),
    ],
)
def test_a_command_killed_half_way_can_be_given_again(
    stored: Bench, tmp_path: Path, command: tuple[str, ...], stride: int
) -> None:
    whole = stored.copy(tmp_path / "whole")
    assert whole.run(*command).code == 0
    for bench in _accidents(stored, tmp_path, "change", 0, stride, *command):
        assert set(bench.stored().values()) >= set(whole.stored().values())
        git(bench.place, "fsck", "--strict", "--no-dangling")
        again = bench.run(*command)
        # What is removed, or bears its new name, is not there to be removed or renamed.
        done = command[0] in {"remove", "rename"} and bench.stored() == whole.stored()
        assert again.code == 0 or (again.code == 2 and done) or _is_there(again.stderr), again
        assert bench.stored() == whole.stored()
        assert bench.state_of_the_user() == whole.state_of_the_user()


def _git_state(bench: Bench) -> dict[str, object]:
    """What is not ours in Git: the files of a failed run are kept under a ref of ours."""
    state = git_state(bench.place)
    listed = git(bench.place, "for-each-ref").splitlines()
    ours = ("refs/exps/", "refs/exprun/")
    return state | {"refs": [ref for ref in listed if not any(name in ref for name in ours)]}


def _is_there(text: str) -> bool:
    return "branch" in text and "exists" in text
