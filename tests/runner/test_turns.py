"""Work that is done in turn under one lock, and who is told of its end."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from exprun.errors import ExprunError
from exprun.runner import turns
from exprun.runner.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Lock:
    """Counts how often it is taken. The first work waits until the rest has been handed in."""

    def __init__(self) -> None:
        self.takes = 0
        self.log: list[str] = []
        self.is_at_work = threading.Event()
        self.may_go_on = threading.Event()
        self.error: ExprunError | None = None
        self.turns = Turns(self.held)

    @contextmanager
    def held(self) -> Iterator[None]:
        self.takes += 1
        if self.error is not None:
            self.is_at_work.set()
            self.may_go_on.wait(20)
            raise self.error
        yield

    def first(self) -> None:
        self.is_at_work.set()
        self.may_go_on.wait(20)
        self.log.append("first")

    def work(self, name: str) -> Callable[[], str]:
        def work() -> str:
            self.log.append(name)
            return name

        return work


def _at_once(backend: str, lock: Lock, *more: Callable[[], Awaitable[object]]) -> list[object]:
    """What each brings, or raises, when all are handed in while the first is at work."""
    results: list[object] = [None] * (len(more) + 1)

    async def note(place: int, call: Callable[[], Awaitable[object]]) -> None:
        try:
            results[place] = await call()
        except (ExprunError, OSError, ValueError) as error:
            results[place] = error

    async def main() -> None:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(note, 0, lambda: lock.turns.take(lock.first))
                await anyio.to_thread.run_sync(lock.is_at_work.wait, 20)
                for place, call in enumerate(more, 1):
                    tasks.start_soon(note, place, call)
                    await anyio.wait_all_tasks_blocked()
                lock.may_go_on.set()

    anyio.run(main, backend=backend)
    return results


@BACKENDS
def test_what_has_gathered_is_done_under_one_lock_and_the_urgent_first(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_ENOUGH_S", 60)
    lock = Lock()
    take = lock.turns.take

    def write() -> None:
        lock.log.append("written")

    results = _at_once(
        backend,
        lock,
        lambda: take(lock.work("a"), then=write),
        lambda: take(lock.work("b"), then=write),
        lambda: take(lock.work("urgent"), urgent=True),
    )

    assert results == [None, "a", "b", "urgent"]
    assert lock.log == ["first", "urgent", "a", "b", "written"]
    assert lock.takes == 1


@BACKENDS
def test_after_a_while_those_are_told_whose_work_is_done(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_ENOUGH_S", 0)
    lock = Lock()
    names = [str(number) for number in range(5)]
    calls = [lambda name=name: lock.turns.take(lock.work(name)) for name in names]

    assert _at_once(backend, lock, *calls) == [None, *names]
    assert lock.log == ["first", *names]
    assert lock.takes == 6


@BACKENDS
def test_each_is_told_of_its_own_failure_and_of_that_of_what_follows(backend: str) -> None:
    lock = Lock()
    take = lock.turns.take
    full, wrong = OSError("no room"), ValueError("wrong")

    def write() -> None:
        raise full

    def fail() -> None:
        raise wrong

    results = _at_once(
        backend,
        lock,
        lambda: take(fail, then=write),
        lambda: take(lock.work("b"), then=write),
        lambda: take(lock.work("c")),
    )

    assert results == [None, wrong, full, "c"]


@BACKENDS
def test_without_the_lock_nothing_is_done(backend: str) -> None:
    lock = Lock()
    lock.error = ExprunError("another process is working in this project")

    results = _at_once(backend, lock, lambda: lock.turns.take(lock.work("a")))

    assert results == [lock.error, lock.error]
    assert not lock.log
    lock.error = None
    assert _at_once(backend, lock) == [None]


@BACKENDS
def test_who_is_cancelled_waits_and_holds_up_nobody(backend: str) -> None:
    lock = Lock()
    take = lock.turns.take

    async def cancelled() -> object:
        with anyio.CancelScope() as scope:
            scope.cancel()
            return await take(lock.work("cancelled"))
        return None

    results = _at_once(backend, lock, cancelled, lambda: take(lock.work("b")))

    assert results == [None, "cancelled", "b"]
    assert lock.log == ["first", "cancelled", "b"]
