"""What a command imports is what it costs: the quick ones must not import the slow libraries."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.house.sources import ROOT
from tests.support.environment import Place

if TYPE_CHECKING:
    from pathlib import Path

SLOW = {
    "anyio",
    "asyncio",
    "fsspec",
    "hydra",
    "platformdirs",
    "pygit2",
    "rich",
    "ruamel.yaml",
    "structlog",
    "tomlkit",
}

SCRIPT = """
import sys
from exprun.__main__ import main
sys.argv[1:] = {arguments!r}
code = main()
print("imported:", *sys.modules)
sys.exit(code)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small project: one stage, with a parameter, that never ran."""
    place = Place(tmp_path)
    place.prepare()
    for path, text in {
        ".dvc/config": "",
        "params.yaml": "a: 1\n",
        "dvc.yaml": "stages:\n  s: {cmd: date > out, params: [a], outs: [out]}\n",
    }.items():
        target = place.repo / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    git = ["git", "init", "--quiet"]
    subprocess.run(git, cwd=place.repo, env=place.environ(), check=True, timeout=30)
    return place


def _imported(place: Place, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(arguments=list(arguments))],
        cwd=place.repo,
        env=place.environ() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    *_, line = done.stdout.splitlines()
    assert line.startswith("imported: ")
    return set(line.split()[1:])


@pytest.mark.parametrize(
    "arguments", [("--help",), ("status",), ("status", "--json")], ids=" ".join
)
def test_quick_commands_import_nothing_slow(place: Place, arguments: tuple[str, ...]) -> None:
    assert not _imported(place, *arguments) & SLOW


def test_running_the_queue_imports_nothing_that_only_queueing_needs(place: Place) -> None:
    git = ["git", "commit", "--quiet", "--allow-empty", "-m", "start"]
    subprocess.run(git, cwd=place.repo, env=place.environ(), check=True, timeout=30)
    imported = _imported(place, "run", "--run-all")
    assert "exprun.runner.queue_run" in imported
    assert not imported & {"exprun.params", "exprun.runner.queueing", "random", "secrets", "shutil"}


def test_the_version_is_told_without_the_command_line(place: Place) -> None:
    ours = {name for name in _imported(place, "--version") if name.startswith("exprun")}
    assert ours == {"exprun", "exprun.__main__"}


ENDING = """
import atexit, sys, threading
from exprun.__main__ import start
atexit.register(sys.stdout.write, "handler")
def work():
    threading.main_thread().join()
    sys.stdout.write("thread ")
threading.Thread(target=work).start()
sys.argv[1:] = ["no-such-command"]
sys.stdout.write("text ")
start()
"""


def test_what_still_runs_ends_and_what_was_said_is_written_when_the_process_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == "text thread handler"
