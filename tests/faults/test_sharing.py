"""Experiments pushed as soon as they are stored, and what stages are told of Studio."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exprun.git.repository import open_repository
from exprun.project.config import Studio
from exprun.runner.studio import STUDIO_URL, studio_env
from tests.faults.bench import marked_processes
from tests.house.sources import ROOT
from tests.support.program import Gate, Program, experiments, git, is_alive, make_project, run
from tests.support.project import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.tools import Tool

PIPELINE = """\
stages:
  s:
    cmd: echo 1 > o; echo 2 > p; echo 3 > q
    deps: [in]
    outs: [o, {p: {push: false}}, {q: {remote: other}}]
"""
CONFIG = """\
[core]
    remote = main
['remote "main"']
    url = ../../outside/remote
['remote "other"']
    url = ../../outside/other
[exp]
    auto_push = true
"""


def _project(place: Place) -> None:
    make_project(
        place,
        PIPELINE,
        write(".dvc/config", CONFIG),
        write("in", "in\n"),
        write("params.yaml", "x: 1\n"),
    )
    subprocess.run(
        ["git", "init", "--bare", "--quiet", str(place.outside / "git")], check=True, timeout=30
    )
    git(place, "remote", "add", "origin", "../outside/git")


def _files(top: Path) -> list[str]:
    return sorted(path.read_text() for path in top.rglob("*") if path.is_file())


@pytest.mark.parametrize("temp", [(), ("--temp",)], ids=["workspace", "temp"])
def test_ref_data_and_run_cache_are_pushed(
    place: Place, temp: tuple[str, ...], exprun: Tool
) -> None:
    _project(place)

    ended = exprun.run(("run", "-n", "e", *temp), place=place)

    assert (ended.code, ended.stderr) == (0, ""), ended
    assert "Pushing experiment to 'origin'." in ended.stdout
    refs = git(place, "for-each-ref", "refs/exps")
    assert git(place, "--git-dir", str(place.outside / "git"), "for-each-ref") == refs
    assert _files(place.outside / "remote/files") == ["1\n"]
    assert _files(place.outside / "other/files") == ["3\n"]
    assert len(_files(place.outside / "remote/runs")) == 1


def test_a_failed_push_is_a_warning(place: Place, exprun: Tool) -> None:
    _project(place)
    hook = place.outside / "git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    ended = exprun.run(("run", "-n", "e"), place=place)

    assert ended.code == 0
    assert "WARNING: experiment 'e' was not pushed to 'origin'" in ended.stderr
    assert not (place.outside / "remote").exists()


WITHOUT_THREADS = """
import signal, time, types
import anyio, anyio.to_thread
from exprun.cli.ending import Ending

async def signals():
    yield signal.SIGTERM

async def main():
    anyio.to_thread.current_default_thread_limiter().total_tokens = 1
    session = types.SimpleNamespace(
        push_marks={"0" * 32}, is_running=False, cancel=lambda reason: None
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, time.sleep, 1000)
        await Ending(session, grace_s=0).watch(signals(), tasks)

anyio.run(main)
"""


def test_pushes_that_hold_every_thread_do_not_keep_the_process_from_ending() -> None:
    command = [sys.executable, "-c", WITHOUT_THREADS]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 143, ended


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_push_that_hangs_is_not_left_behind(place: Place, number: signal.Signals) -> None:
    _project(place)
    hook = place.outside / "git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho $$ > {place.root}/gate\nexec sleep 1000\n")
    hook.chmod(0o755)
    with Gate(place.root / "gate") as gate, Program(place, "run", "-n", "e") as program:
        hanging = int(gate.passed())
        program.send(number)
        ended = program.end()
    if number == signal.SIGKILL:
        hook.unlink()
        assert run(place, "run", "-n", "next", "-S", "+p=1").code == 0
    else:
        assert ended.code == 143, ended

    assert not is_alive(hanging)
    assert not list(marked_processes(place))
    assert "e" in experiments(place)


def test_remotes_that_cannot_work_turn_it_off(place: Place, exprun: Tool) -> None:
    _project(place)
    git(place, "remote", "set-url", "origin", "../outside/nothing")

    ended = exprun.run(("run", "-n", "e"), place=place)

    assert ended.code == 0
    assert "WARNING: experiments are not pushed: 'origin' is not a valid Git remote" in ended.stderr
    assert "Pushing" not in ended.stdout


def test_versioned_remotes_turn_it_off_and_nothing_is_pulled_from_them(
    place: Place, exprun: Tool
) -> None:
    _project(place)
    config = CONFIG.replace("main\"']", "main\"']\n    version_aware = true")
    (place.repo / ".dvc/config").write_text(config)

    ended = exprun.run(("run", "-n", "e", "--pull"), place=place)

    assert ended.code == 0
    assert "WARNING: experiments are not pushed: remote 'main' is version_aware" in ended.stderr
    assert "WARNING: the run cache was not pulled: remote 'main' is version_aware" in ended.stderr
    assert not git(place, "--git-dir", str(place.outside / "git"), "for-each-ref")
    assert not (place.outside / "remote").exists()


def test_the_environment_decides(place: Place) -> None:
    _project(place)

    off = run(place, "run", "-n", "e", env={"DVC_EXP_AUTO_PUSH": "false"})
    elsewhere = run(place, "run", "-n", "f", "-f", env={"DVC_EXP_GIT_REMOTE": "nowhere"})

    assert "Pushing" not in off.stdout
    assert "'nowhere' is not a valid Git remote" in elsewhere.stderr


def test_studio_is_told_of_only_with_a_token(place: Place) -> None:
    make_project(place, "stages: {}\n")
    git(place, "remote", "add", "origin", "https://example.com/r.git")
    repository = open_repository(str(place.repo), env=place.environ())
    config = Studio(token="from-config")
    told = {
        "DVC_STUDIO_REPO_URL": "https://example.com/r.git",
        "DVC_STUDIO_TOKEN": "from-config",
        "DVC_STUDIO_URL": STUDIO_URL,
    }

    assert studio_env(Studio(), {}, repository) == {}
    assert studio_env(config, {}, repository) == told
    assert studio_env(config, {"DVC_STUDIO_OFFLINE": "yes"}, repository) == {}
    assert studio_env(dataclasses.replace(config, offline=True), {}, repository) == {}
    named = {"STUDIO_TOKEN": "t", "DVC_STUDIO_REPO_URL": "u", "DVC_STUDIO_URL": "v"}
    assert studio_env(config, named, repository) == {
        "DVC_STUDIO_REPO_URL": "u",
        "DVC_STUDIO_TOKEN": "t",
        "DVC_STUDIO_URL": "v",
    }
