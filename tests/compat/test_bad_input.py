"""A hundred bad inputs: one clear message, the right exit code, no traceback, nothing changed."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import exprun as package
from tests.compat.bad_inputs import BAD_INPUTS, FAILED, PROJECT, BadInput
from tests.compat.case import flat
from tests.compat.pipelines import TRAINED
from tests.support.project import Chmod, Delete, commit, git, init_dvc, perform, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Builder
    from tests.support.tools import Tool

# The guarantee is two seconds; a busy machine gets some more.
REFUSED_WITHIN_S = 8

BROKEN = 3


@pytest.mark.parametrize("bad", BAD_INPUTS, ids=lambda bad: bad.name)
def test_bad_input_is_named_and_harmless(
    bad: BadInput, exprun: Tool, builder: Builder, tmp_path: Path
) -> None:
    place = builder.build(bad.start, into=tmp_path / "place")
    before = _state(place, whole=bad.exits != FAILED)
    exprun.wait_until_ready()
    started = time.monotonic()

    finished = exprun.run(bad.args, place=place)

    elapsed = time.monotonic() - started
    told = finished.stdout + finished.stderr
    assert "Traceback" not in told, told
    assert finished.code == bad.exits, told
    errors = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1, told
    assert re.search(bad.names, finished.stderr, re.DOTALL), told
    assert _state(place, whole=bad.exits != FAILED) == before
    assert elapsed < REFUSED_WITHIN_S


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
@pytest.mark.parametrize(
    "file",
    ["dvc.yaml", "params.yaml", "dvc.lock", ".dvc/config", ".dvc/config.local", "exprun.toml"],
)
def test_what_is_no_file_is_refused(
    file: str,
    make: Callable[[Path], None],
    exprun: Tool,
    builder: Builder,
    tmp_path: Path,
) -> None:
    place = builder.build(PROJECT, into=tmp_path / "place")
    (place.repo / file).unlink(missing_ok=True)
    make(place.repo / file)

    ended = exprun.run(("run", "-n", "e", "-S", "lr=5"), place=place, timeout_s=20)

    assert ended.code == 2, ended
    errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1 and file in errors[0], ended
    assert not (place.repo / "o").exists()


def test_a_fifo_for_parameters_fails_their_stage(
    exprun: Tool, builder: Builder, tmp_path: Path
) -> None:
    place = builder.build(PROJECT, into=tmp_path / "place")
    (place.repo / "params.yaml").unlink()
    os.mkfifo(place.repo / "params.yaml")

    ended = exprun.run(("run", "-n", "e"), place=place, timeout_s=20)

    assert ended.code == FAILED, ended
    assert "params.yaml: cannot be read: Not a regular file" in ended.stderr


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
@pytest.mark.parametrize("file", [".dvcignore", ".gitignore", ".git/info/exclude"])
def test_what_is_no_file_ignores_nothing(
    file: str, make: Callable[[Path], None], exprun: Tool, builder: Builder, tmp_path: Path
) -> None:
    place = builder.build(PROJECT, into=tmp_path / "place")
    (place.repo / file).unlink(missing_ok=True)
    make(place.repo / file)

    ended = exprun.run(("status",), place=place, timeout_s=20)

    assert (ended.code, ended.stderr) == (0, ""), ended


def test_there_are_a_hundred() -> None:
    assert len(BAD_INPUTS) >= 100
    assert len({bad.name for bad in BAD_INPUTS}) == len(BAD_INPUTS)


def test_an_existing_name_is_refused(exprun: Tool, builder: Builder, tmp_path: Path) -> None:
    place = builder.build(PROJECT, into=tmp_path / "place")
    assert exprun.run(("run", "-n", "e"), place=place).code == 0
    before = _state(place)

    again = exprun.run(("run", "-n", "e", "-S", "lr=5"), place=place)

    assert again.code == 2
    assert "'e'" in again.stderr
    assert _state(place) == before


@pytest.mark.parametrize("damage", ["corrupt", "missing", "corrupt and writable"])
def test_a_damaged_object_is_never_trusted(
    damage: str, exprun: Tool, builder: Builder, tmp_path: Path
) -> None:
    project = flat(git("init", "--quiet", "-b", "main"), init_dvc(), TRAINED)
    place = builder.build(project, into=tmp_path / "place")
    output = place.repo / "model.bin"
    content = output.read_bytes()
    output.unlink()
    for stored in (place.repo / ".dvc/cache/files/md5").rglob("*"):
        if stored.is_file() and damage == "missing":
            stored.unlink()
        elif stored.is_file():
            stored.chmod(0o644)
            stored.write_bytes(b"damaged" + stored.read_bytes())
            stored.chmod(0o444 if damage == "corrupt" else 0o644)

    finished = exprun.run(("repro",), place=place)

    assert finished.code == 0, finished
    assert output.read_bytes() == content


def test_a_full_disk_fails_that_run_and_leaves_no_torn_object(
    exprun: Tool, builder: Builder, tmp_path: Path
) -> None:
    big = "stages:\n  big:\n    cmd: head -c 200000 /dev/zero > o\n    outs: [o]\n"
    place = builder.build(flat(PROJECT, write("dvc.yaml", big), commit()), into=tmp_path / "place")
    command = f"ulimit -f 64; exec {sys.executable} -m exprun repro"

    limited = _shell(place, command)
    freed = exprun.run(("repro",), place=place)

    assert limited.returncode in {FAILED, BROKEN}, limited.stderr
    assert "Traceback" not in limited.stderr
    assert freed.code == 0, freed


def test_a_read_only_project_is_an_environment_error(builder: Builder, tmp_path: Path) -> None:
    place = builder.build(PROJECT, into=tmp_path / "place")
    before = _state(place)
    # Root may write what nobody may, unless it gives that up.
    bound = "setpriv --bounding-set -dac_override" if os.geteuid() == 0 else ""

    with _read_only(place.repo):
        finished = _shell(place, f"exec {bound} {sys.executable} -m exprun run -n e")

    assert finished.returncode == BROKEN, finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stderr.count("ERROR") == 1
    assert _state(place) == before


@contextlib.contextmanager
def _read_only(top: Path) -> Iterator[None]:
    modes = {path: path.stat().st_mode for path in (top, *top.rglob("*")) if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    yield
    for path, mode in modes.items():
        path.chmod(mode)


def _shell(place: Place, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command],
        cwd=place.repo,
        env=place.environ() | {"PYTHONPATH": os.path.dirname(os.path.dirname(package.__file__))},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def _state(place: Place, *, whole: bool = True) -> dict[str, object]:
    """Git's HEAD, index and refs to the byte; with `whole` every other file too."""
    return {
        str(path): _content(path)
        for path in sorted(place.repo.rglob("*"))
        if _counts(path.relative_to(place.repo).as_posix(), whole=whole)
    } | {"outside": sorted(map(str, place.outside.rglob("*")))}


def _counts(path: str, *, whole: bool) -> bool:
    if path.startswith(".git/refs/exprun"):
        # What a failed experiment leaves is kept there (deviation 12).
        return whole
    if path.startswith(".git/"):
        return path in {".git/HEAD", ".git/index", ".git/packed-refs"} or path.startswith(
            (".git/refs/", ".git/hooks/")
        )
    return whole and not path.startswith((".dvc/tmp", ".dvc/cache"))


def _content(path: Path) -> object:
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else path.is_dir()


def test_the_state_sees_a_change(builder: Builder, dvc: Tool, tmp_path: Path) -> None:
    place = builder.build(PROJECT, into=tmp_path / "place")
    before = _state(place)

    for action in (Chmod("p.json", 0o644), Delete("p.json")):
        perform(action, place, tool=dvc, dvc_tool=dvc, at=0)

    assert _state(place) != before


def test_a_broken_file_stops_only_what_needs_it(
    exprun: Tool, builder: Builder, tmp_path: Path
) -> None:
    project = flat(PROJECT, write("x.dvc", "outs: [\n"), write("sub/dvc.yaml", "stages: 1\n"))
    place = builder.build(project, into=tmp_path / "place")

    finished = exprun.run(("repro",), place=place)

    assert finished.code == 0, finished
    assert re.search(r"WARNING: x\.dvc:\d+:", finished.stderr)
    assert "WARNING: sub/dvc.yaml:" in finished.stderr


@pytest.mark.parametrize("asked", [("-P",), ("-R", "."), ("-R", "sub")])
def test_who_asks_for_everything_is_told_of_a_broken_file(
    exprun: Tool, builder: Builder, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    project = flat(PROJECT, write("sub/dvc.yaml", "stages: 1\n"))
    place = builder.build(project, into=tmp_path / "place")

    finished = exprun.run(("repro", *asked), place=place)

    assert finished.code == 2, finished
    assert "ERROR: sub/dvc.yaml:" in finished.stderr
