"""What the executor tests share: both event loops, a listening sink, and jobs of small scripts."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest

from exprun.model.job import Command, JobSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

T = TypeVar("T")

LIMIT_S = 30


class Recorder:
    """A sink that always listens, and lets a test wait for what it has seen."""

    is_wanted = True

    def __init__(self) -> None:
        self.data = bytearray()
        self.commands: list[str] = []
        self.offsets: list[int] = []
        self._news = anyio.Event()

    async def wanted(self) -> None:
        return None

    def command_started(self, index: int, command: Command) -> None:
        assert index == len(self.commands)
        self.commands.append(command.display)

    def write(self, data: bytes, *, offset: int) -> None:
        assert offset == len(self.data), "output is shown in order and without gaps"
        self.offsets.append(offset)
        self.data += data
        self._news.set()
        self._news = anyio.Event()

    async def saw(self, text: bytes) -> None:
        while text not in self.data:
            await self._news.wait()


class Runner:
    """Runs a coroutine function on one kind of event loop, within a time limit."""

    def __init__(self, backend: str) -> None:
        self.backend = backend

    def __call__(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def limited() -> T:
            with anyio.fail_after(LIMIT_S):
                return await function()

        return anyio.run(limited, backend=self.backend)


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Runner:
    return Runner(request.param)


@pytest.fixture
def on_asyncio() -> Runner:
    return Runner("asyncio")


class Jobs:
    """Builds jobs that run in a directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._count = 0

    def shell(self, *texts: str, **changes: Any) -> JobSpec:
        return self.argv(*(("/bin/sh", "-c", text) for text in texts), **changes)

    def python(self, text: str, **changes: Any) -> JobSpec:
        return self.argv((sys.executable, "-S", "-E", "-u", "-c", text), **changes)

    def argv(self, *argvs: tuple[str, ...], **changes: Any) -> JobSpec:
        self._count += 1
        fields: dict[str, Any] = {
            "mark": os.urandom(16).hex(),
            "stage": f"stage{self._count}",
            "commands": tuple(Command(argv=argv, display=argv[-1]) for argv in argvs),
            "cwd": str(self.directory),
            "env": {"PATH": os.environ["PATH"], "HOME": str(self.directory)},
            "log": str(self.directory / "logs" / f"{self._count}.log"),
            "grace_s": 10.0,
        }
        return JobSpec(**fields | changes)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)
