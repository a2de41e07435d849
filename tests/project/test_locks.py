from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from exprun.errors import ExprunError
from exprun.project.locks import Busy, FileLock, Patience, RepoLock
from exprun.project.rwlock import ReadWriteLock

if TYPE_CHECKING:
    from pathlib import Path

NOW = Patience(limit_s=0)


def test_the_lock_file_is_dvcs(tmp_path: Path) -> None:
    lock = RepoLock(str(tmp_path / "tmp"))
    with lock.held():
        pass
    assert (tmp_path / "tmp" / "lock").read_text() == f" {os.getpid()}\n"


def test_dvcs_lock_and_ours_exclude_each_other(tmp_path: Path) -> None:
    from dvc.lock import Lock
    from dvc.lock import LockError as DvcLockError

    ours = FileLock(str(tmp_path / "lock"))
    theirs = Lock(str(tmp_path / "lock"))
    with ours.held(NOW):
        with pytest.raises(DvcLockError):
            theirs._do_lock()
    theirs.lock()
    with pytest.raises(Busy) as caught, ours.held(NOW):
        pass
    assert f"pid {os.getpid()}" in str(caught.value)
    theirs.unlock()
    with ours.held(NOW):
        pass


def test_a_linked_lock_file_is_refused_and_its_target_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("content")
    (tmp_path / "lock").symlink_to("precious")
    with pytest.raises(ExprunError), RepoLock(str(tmp_path)).held():
        pass
    assert (tmp_path / "precious").read_text() == "content"


def test_hardlink_locks_exclude_those_of_dvc(tmp_path: Path) -> None:
    from dvc.lock import HardlinkLock
    from dvc.lock import LockError as DvcLockError

    ours = FileLock(str(tmp_path / "locks" / "lock"), hardlink=True)
    with ours.held(NOW):
        theirs = HardlinkLock(ours.path, tmp_dir=str(tmp_path / "locks"))
        with pytest.raises(DvcLockError):
            theirs.lock(timeout=1)
        with pytest.raises(Busy), FileLock(ours.path, hardlink=True).held(NOW):
            pass
    theirs.lock(timeout=1)
    with pytest.raises(Busy) as caught, ours.held(NOW):
        pass
    assert f"remove {ours.path}" in (caught.value.hint or "")
    theirs.unlock()
    with ours.held(NOW):
        pass
    assert list((tmp_path / "locks").iterdir()) == []


def test_what_a_flock_leaves_is_no_hardlink_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(str(path)).held():
        pass
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    with FileLock(str(path), hardlink=True).held():
        assert path.stat().st_nlink == 2
    assert not path.exists()


def test_nobody_waits_for_ever_for_a_hardlink_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds it may be dead: there is no telling."""
    monkeypatch.setattr("exprun.project.locks._LONGEST_WAIT_S", 0.1)
    path = str(tmp_path / "lock")
    with (
        FileLock(path, hardlink=True).held(),
        pytest.raises(Busy),
        FileLock(path, hardlink=True).held(Patience(limit_s=None)),
    ):
        pass


def test_waiting_is_told_once_and_ends_when_the_holder_is_gone(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    told: list[str] = []
    with open(path, "w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)

        def on_wait(reason: str) -> None:
            told.append(reason)
            fcntl.flock(holder, fcntl.LOCK_UN)

        with FileLock(path).held(Patience(limit_s=None, on_wait=on_wait)):
            pass
    assert len(told) == 1


def test_one_may_give_up_waiting(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    asked: list[int] = []

    def give_up() -> bool:
        asked.append(1)
        return len(asked) == 2

    with (
        FileLock(path).held(),
        pytest.raises(Busy),
        FileLock(path).held(Patience(limit_s=None, give_up=give_up)),
    ):
        pass
    assert len(asked) == 2


@pytest.mark.parametrize("count", [1, 4], ids=["one", "several"])
def test_threads_take_turns_and_say_nothing_of_it(tmp_path: Path, count: int) -> None:
    """Also if what they have in common is but the path of the lock."""
    locks = [FileLock(str(tmp_path / "lock")) for _ in range(count)]
    inside: list[int] = []
    most: list[int] = []
    told: list[str] = []

    def work(number: int) -> None:
        for _ in range(20):
            with locks[number % count].held(Patience(limit_s=30, on_wait=told.append)):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80
    assert max(most) == 1
    assert told == []


def test_a_lock_is_free_though_a_child_has_inherited_it(tmp_path: Path) -> None:
    lock = FileLock(str(tmp_path / "lock"))
    read_end, write_end = os.pipe()
    with lock.held():
        child = os.fork()
        if child == 0:
            os.close(write_end)
            os.read(read_end, 1)
            os._exit(0)
    try:
        with lock.held(Patience(limit_s=0)):
            pass
    finally:
        os.close(write_end)
        os.close(read_end)
        os.waitpid(child, 0)


def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    code = (
        "import sys; from exprun.project.locks import FileLock\n"
        "with FileLock(sys.argv[1]).held():\n  print('held', flush=True); sys.stdin.read()"
    )
    path = str(tmp_path / "lock")
    command = [sys.executable, "-c", code, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(Busy), FileLock(path).held(NOW):
            pass
        process.kill()
        process.wait(10)
    with FileLock(path).held(NOW):
        pass


def entries(tmp_path: Path) -> object:
    return json.loads((tmp_path / "rwlock").read_text())


def test_entries_are_in_dvcs_format_and_go_with_the_block(tmp_path: Path) -> None:
    lock = ReadWriteLock(str(tmp_path), cmd="exprun run")
    me = {"pid": os.getpid(), "cmd": "exprun run"}
    with lock.held(read=["/p/in", "/p/out"], write=["/p/out"]):
        assert entries(tmp_path) == {
            "read": {"/p/in": [me], "/p/out": [me]},
            "write": {"/p/out": me},
        }
    assert entries(tmp_path) == {}


def dvc_rwlock(tmp_path: Path, read: list[str], write: list[str]) -> object:
    from dvc.fs import localfs
    from dvc.rwlock import rwlock

    return rwlock(str(tmp_path), localfs, "dvc repro", read, write, False)


CLASHES = [
    (["/p/a"], ["/p/b"], ["/p/a"], ["/p/c"], False),
    (["/p/a"], ["/p/b"], ["/p/b"], [], True),
    (["/p/a"], ["/p/b"], ["/p/b/inner"], [], True),
    (["/p/a"], ["/p/b"], ["/p"], [], True),
    (["/p/a"], ["/p/b"], [], ["/p/a"], True),
    (["/p/a/inner"], [], [], ["/p/a"], True),
    (["/p/a"], [], [], ["/p/ab"], False),
    ([], ["/p/b"], [], ["/p/b/"], True),
]


@pytest.mark.parametrize(("read", "write", "their_read", "their_write", "clash"), CLASHES)
def test_ours_and_dvcs_entries_exclude_each_other(
    tmp_path: Path,
    read: list[str],
    write: list[str],
    their_read: list[str],
    their_write: list[str],
    clash: bool,
) -> None:
    from contextlib import AbstractContextManager

    from dvc.lock import LockError

    ours = ReadWriteLock(str(tmp_path), cmd="exprun run")
    theirs = dvc_rwlock(tmp_path, their_read, their_write)
    assert isinstance(theirs, AbstractContextManager)
    with ours.held(read=read, write=write):
        if clash:
            with pytest.raises(LockError), theirs:
                pass
        else:
            with theirs:
                pass
    theirs = dvc_rwlock(tmp_path, their_read, their_write)
    assert isinstance(theirs, AbstractContextManager)
    with theirs:
        if clash:
            with pytest.raises(Busy) as caught, ours.held(read=read, write=write):
                pass
            assert "'dvc repro'" in str(caught.value)
        else:
            with ours.held(read=read, write=write):
                pass
    # DVC leaves empty maps behind.
    left = entries(tmp_path)
    assert isinstance(left, dict)
    assert not any(left.values())


def test_a_dead_process_blocks_nobody_and_is_dropped(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait(30)
    dead = {"pid": process.pid, "cmd": "dvc repro"}
    stale = {"read": {"/p/a": [dead], "/p/z": [dead]}, "write": {"/p/b": dead}}
    (tmp_path / "rwlock").write_text(json.dumps(stale))
    with ReadWriteLock(str(tmp_path), cmd="x").held(read=["/p/b"], write=["/p/a"]):
        assert entries(tmp_path) == {
            "read": {"/p/b": [{"pid": os.getpid(), "cmd": "x"}], "/p/z": [dead]},
            "write": {"/p/a": {"pid": os.getpid(), "cmd": "x"}},
        }


def test_the_list_is_replaced_only_when_it_has_outgrown_its_file(tmp_path: Path) -> None:
    path = tmp_path / "rwlock"
    lock = ReadWriteLock(str(tmp_path), cmd="x")
    with lock.held(read=["/p/a"], write=[]):
        first = path.stat().st_ino
        with lock.held(read=[], write=["/p/b"]):
            assert path.stat().st_ino == first
            many = [f"/p/{number}" for number in range(100)]
            with lock.held(read=[], write=many):
                assert path.stat().st_ino != first
                assert len(json.loads(path.read_text())["write"]) == 101
    assert json.loads(path.read_text()) == {}


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="the system does not tell start times")
@pytest.mark.parametrize("cmd", ["dvc repro", "/opt/tools/train.py"])
def test_a_pid_that_was_given_to_a_later_process_blocks_nobody(tmp_path: Path, cmd: str) -> None:
    reused = {"pid": os.getpid(), "cmd": cmd}
    path = tmp_path / "rwlock"
    path.write_text(json.dumps({"write": {"/p/a": reused}}))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    with ReadWriteLock(str(tmp_path), cmd="x").held(read=[], write=["/p/a"]):
        pass
    path.write_text(json.dumps({"write": {"/p/a": reused}}))
    with (
        pytest.raises(Busy),
        ReadWriteLock(str(tmp_path), cmd="x").held(read=[], write=["/p/a"]),
    ):
        pass


@pytest.mark.parametrize("is_module", [False, True])
def test_a_clock_that_is_set_forward_ends_no_holder(tmp_path: Path, is_module: bool) -> None:
    """The list then looks older than those in it."""
    script = tmp_path / "tool.py"
    script.write_text(
        "import json, sys, os\n"
        "holder = {'pid': os.getpid(), 'cmd': ' '.join(sys.argv)}\n"
        "with open('rwlock', 'w') as file: json.dump({'write': {'/p/a': holder}}, file)\n"
        "os.utime('rwlock', (1_000_000_000, 1_000_000_000))\n"
        "print(flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, *(["-m", "tool"] if is_module else [script]), "repro", "-f", "a b"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout and holder.stdout.readline()
        with (
            pytest.raises(Busy, match=f"pid {holder.pid}"),
            ReadWriteLock(str(tmp_path), cmd="x").held(read=[], write=["/p/a"]),
        ):
            pass
        holder.communicate(timeout=30)


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"read": 1}', '{"write": {"/p": {"pid": "1"}}}']
)
def test_a_damaged_list_is_set_aside(tmp_path: Path, damage: str) -> None:
    (tmp_path / "rwlock").write_text(damage)
    with ReadWriteLock(str(tmp_path), cmd="x").held(read=["/p/a"], write=[]):
        pass
    assert entries(tmp_path) == {}
    assert (tmp_path / "rwlock.damaged").read_text() == damage


def test_equal_entries_of_several_threads_are_counted(tmp_path: Path) -> None:
    lock = ReadWriteLock(str(tmp_path), cmd="x")
    with lock.held(read=["/p/params"], write=["/p/1"]):
        with lock.held(read=["/p/params"], write=["/p/2"]):
            pass
        left = entries(tmp_path)
        assert isinstance(left, dict)
        assert list(left["read"]) == ["/p/params"]
        assert list(left["write"]) == ["/p/1"]
    assert entries(tmp_path) == {}


def test_many_threads_leave_an_empty_list(tmp_path: Path) -> None:
    lock = ReadWriteLock(str(tmp_path), cmd="x")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(5):
                with lock.held(read=["/p/params"], write=[f"/p/{number}"]):
                    pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert entries(tmp_path) == {}


def test_one_may_wait_for_a_path_to_be_free(tmp_path: Path) -> None:
    other = ReadWriteLock(str(tmp_path), cmd="other")
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with other.held(read=[], write=["/p/a"]):
            taken.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    patience = Patience(limit_s=30, on_wait=lambda _: release.set())
    with ReadWriteLock(str(tmp_path), cmd="x").held(read=["/p/a"], write=[], patience=patience):
        assert release.is_set()
    thread.join()
