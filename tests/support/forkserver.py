"""Runs a Python command-line program many times for the price of one start-up.

A server process imports the program once; every command then runs in a fork of it with its own
directory, environment and streams. Records made this way equal those of separate processes, which
`tests/compat/test_harness.py` checks.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any, Self

TIMED_OUT = -1000
FAULT = "EXPRUN_TEST_FAULT"
"""Names the variable that tells which system call of a command is to fail: see `_arm`."""

PRELOAD = {
    "dvc": (
        "antlr4.LL1Analyzer",
        "celery.canvas",
        "celery.worker.worker",
        "dulwich.gc",
        "dulwich.porcelain",
        "dulwich.stash",
        "dulwich.worktree",
        "dvc._debug",
        "dvc.cachemgr",
        "dvc.cli",
        "dvc.cli.parser",
        "dvc.commands.experiments.show",
        "dvc.commands.repro",
        "dvc.commands.status",
        "dvc.data_cloud",
        "dvc.dirs",
        "dvc.repo.artifacts",
        "dvc.repo.brancher",
        "dvc.repo.datasets",
        "dvc.repo.experiments.executor.local",
        "dvc.repo.experiments.queue.celery",
        "dvc.repo.experiments.queue.tasks",
        "dvc.repo.experiments.queue.tempdir",
        "dvc.repo.experiments.queue.workspace",
        "dvc.repo.experiments.run",
        "dvc.repo.experiments.show",
        "dvc.repo.graph",
        "dvc.repo.index",
        "dvc.repo.metrics.show",
        "dvc.repo.open_repo",
        "dvc.repo.params.show",
        "dvc.repo.plots",
        "dvc.repo.reproduce",
        "dvc.repo.stage",
        "dvc.repo.status",
        "dvc.repo.trie",
        "dvc.stage.cache",
        "dvc.stage.loader",
        "dvc.stage.run",
        "dvc.utils.hydra",
        "dvc.utils.serialize",
        "dvc.utils.strictyaml",
        "dvc_data.fs",
        "dvc_data.hashfile._progress",
        "dvc_data.hashfile.checkout",
        "dvc_data.hashfile.db.local",
        "dvc_data.hashfile.status",
        "dvc_data.index.checkout",
        "dvc_render",
        "dvc_studio_client.post_live_metrics",
        "dvc_task.app",
        "hydra",
        "hydra._internal.config_loader_impl",
        "hydra.core.override_parser.overrides_parser",
        "kombu.transport.filesystem",
        "networkx",
        "platformdirs",
        "pygit2",
        "requests",
        "rich.json",
        "rich.jupyter",
        "ruamel.yaml",
        "scmrepo.git.backend.pygit2.callbacks",
        "scmrepo.git.backend.pygit2.filter",
        "tomlkit",
    ),
    "exprun": (
        "asyncio",
        "anyio._backends._asyncio",
        "pygit2",
        "ruamel.yaml",
        "structlog",
        "tomlkit",
        "yaml",
        "hydra.core.override_parser.overrides_parser",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How one command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str


class ForkServer:
    """A running server for one program; its `run` may be called from several threads in turn."""

    def __init__(self, program: str, *, env: Mapping[str, str] | None = None) -> None:
        self._lock = threading.Lock()
        self._is_ready = False
        # libgit2 looks for the user's configuration when it is loaded, so the home is this one.
        self._home = tempfile.TemporaryDirectory()
        with open(os.path.join(self._home.name, ".gitconfig"), "w") as file:
            file.write("[user]\n\tname = Ada Tester\n\temail = ada@example.com\n")
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, program],
            env={**os.environ, "HOME": self._home.name, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        """Return when the program is imported, for those who measure what follows."""
        assert self._process.stdout
        with self._lock:
            if not self._is_ready:
                self._process.stdout.readline()
                self._is_ready = True

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        streams: Path,
        timeout_s: float = 60,
    ) -> Finished:
        """Run the program with `argv`; its output passes through files in `streams`."""
        request = {
            "argv": list(argv),
            "cwd": str(cwd),
            "env": dict(env),
            "stdout": str(streams / "stdout"),
            "stderr": str(streams / "stderr"),
            "timeout_s": timeout_s,
        }
        assert self._process.stdin and self._process.stdout
        self.wait_until_ready()
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        code = int(answer)
        return Finished(
            code=code,
            stdout=(streams / "stdout").read_text(errors="surrogateescape"),
            stderr=(streams / "stderr").read_text(errors="surrogateescape"),
        )

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()
        self._home.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _dvc(argv: list[str]) -> int:
    from dvc.cli import main

    return int(main(argv))


def _exprun(argv: list[str]) -> int:
    import runpy

    sys.argv = ["exprun", *argv]
    runpy.run_module("exprun", run_name="__main__", alter_sys=True)
    return 0


PROGRAMS: dict[str, Callable[[list[str]], int]] = {"dvc": _dvc, "exprun": _exprun}


def _serve(program: str) -> None:
    for name in (*PRELOAD[program], *_own_modules(program)):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # Keeps the children from copying the imported modules' pages.
    answers = os.fdopen(os.dup(1), "w")
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _be_the_command(PROGRAMS[program], request)
        answers.write(f"{_wait(pid, request['timeout_s'])}\n")
        answers.flush()


def _own_modules(program: str) -> list[str]:
    """All of exprun, whatever its rooms are called by now; DVC is too large for that."""
    if program != "exprun":
        return []
    package = importlib.import_module(program)
    found = pkgutil.walk_packages(package.__path__, f"{program}.")
    return [module.name for module in found if not module.name.endswith("__main__")]


def _wait(pid: int, timeout_s: float) -> int:
    pidfd = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([pidfd], [], [], timeout_s)
        if not ready:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status) if ready else TIMED_OUT
    finally:
        os.close(pidfd)


def _be_the_command(program: Callable[[list[str]], int], request: dict[str, Any]) -> None:
    """Take on the request's surroundings, run the program and never return."""
    code = 70
    try:
        os.setsid()
        os.umask(0o022)
        for target, source in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
            flags = os.O_RDONLY if target == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            opened = os.open(source, flags, 0o644)
            os.dup2(opened, target)
            os.close(opened)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        _arm(os.environ.pop(FAULT, None))
        code = _exit_code(program, request["argv"])
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _arm(fault: str | None) -> None:
    """Have a system call fail, if that is asked of a server that has `failing.c` preloaded."""
    if fault is not None:
        kind, number, error, marker = fault.split(" ", 3)
        ctypes.CDLL(None).arm(int(kind), ctypes.c_long(int(number)), int(error), marker.encode())


def _exit_code(program: Callable[[list[str]], int], argv: list[str]) -> int:
    try:
        return program(argv) & 0xFF
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return (stop.code or 0) & 0xFF
        sys.stderr.write(f"{stop.code}\n")
        return 1
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1


if __name__ == "__main__":
    _serve(sys.argv[1])
