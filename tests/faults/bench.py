"""A project with experiments in its queue, and what must be true of it whatever befalls exprun."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.environment import Place
from tests.support.forkserver import FAULT
from tests.support.program import git, git_state, make_project
from tests.support.project import write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from tests.support.forkserver import Finished
    from tests.support.tools import Tool

# One stage that all experiments share, and one of their own with data, a metric and some duration.
PIPELINE = """\
stages:
  prepare:
    cmd: mkdir -p ready && cp in ready/in && cp in ready/more
    deps: [in]
    outs: [ready]
  train:
    cmd: sleep 0.05; cat ready/in params.yaml > model && cp params.yaml metrics.yaml
    deps: [ready]
    params: [lr]
    outs: [model]
    metrics: [metrics.yaml: {cache: false}]
"""
KINDS = ("write", "fsync", "rename", "link", "create", "open", "unlink", "fork", "thread", "change")
_IGNORED = {".git", "cache", "tmp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The call number `number` of a kind fails with `error`, or is the program's last if 0."""

    kind: str
    number: int
    error: int = 0


@dataclass(slots=True)
class Bench:
    """The project at `place`; its promises are those that held when this was made."""

    place: Place
    tool: Tool
    trees: Mapping[str, str]
    """What each experiment's tree is to be."""
    before: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = self.before or self.state_of_the_user()

    def run(self, *args: str, fault: Fault | None = None, timeout_s: float = 60) -> Finished:
        """Run exprun; a `fault` that came about is seen by `was_hit`."""
        env = {}
        if fault is not None:
            self._marker.unlink(missing_ok=True)
            kind = KINDS.index(fault.kind)
            env[FAULT] = f"{kind} {fault.number} {fault.error} {self._marker}"
        return self.tool.run(args, place=self.place, env=env, timeout_s=timeout_s)

    @property
    def was_hit(self) -> bool:
        """Whether the last fault came about."""
        return self._marker.exists()

    @property
    def _marker(self) -> Path:
        return self.place.root / "hit"

    def copy(self, root: Path) -> Self:
        """Another bench like this one."""
        shutil.copytree(self.place.root, root, symlinks=True)
        return type(self)(Place(root), self.tool, self.trees, self.before)

    def states(self) -> dict[str, str]:
        """The state of each experiment, from what a command says after any accident."""
        told = self.run("queue", "status", "--json")
        assert told.code == 0, told
        rows = json.loads(told.stdout)
        names = [row["name"] for row in rows]
        assert len(set(names)) == len(names), names
        return {row["name"]: row["status"] for row in rows}

    def stored(self) -> dict[str, str]:
        """The tree of each stored experiment."""
        layout = "--format=%(refname:lstrip=4) %(tree)"
        listed = git(self.place, "for-each-ref", layout, "refs/exps/??/*/*").splitlines()
        return dict(line.split() for line in listed)

    def require_promises(self) -> dict[str, str]:
        """Check that nothing is lost, doubled, torn or touched; the states of the experiments."""
        states = self.states()
        assert states.keys() == self.trees.keys()
        assert "running" not in states.values()
        stored = self.stored()
        assert {name: self.trees[name] for name in stored} == stored
        # Who died between storing an experiment and saying so is believed by its ref.
        assert {name for name, state in states.items() if state == "success"} <= stored.keys()
        git(self.place, "fsck", "--strict", "--no-dangling")
        assert self.state_of_the_user() == self.before
        self.require_true_objects()
        return states

    def finish(self) -> None:
        """Check that the next run makes up for everything, and leaves nothing behind."""
        ended = self.run("run", "--run-all", "--retry-failed", "-j", "4")
        assert ended.code == 0, ended
        assert set(self.require_promises().values()) == {"success"}
        assert self.stored() == self.trees
        assert not list(marked_processes(self.place))
        assert not os.listdir(self.place.repo / ".dvc/tmp/exps/exprun")

    def state_of_the_user(self) -> dict[str, object]:
        """What neither queueing nor running queued experiments may change, to the byte."""
        files: dict[str, object] = {}
        for directory, below, names in os.walk(self.place.repo):
            below[:] = [name for name in below if name not in _IGNORED]
            for name in names:
                path = os.path.join(directory, name)
                files[os.path.relpath(path, self.place.repo)] = Path(path).read_bytes()
        config = (self.place.repo / ".git/config").read_bytes()
        return git_state(self.place) | {"config": config, "files": files}

    def require_true_objects(self) -> None:
        """Check that each object of the cache is what it is called."""
        for stored in (self.place.repo / ".dvc/cache/files/md5").glob("??/*"):
            name = stored.parent.name + stored.name.removesuffix(".dir")
            if not name.endswith(".tmp"):
                assert hashlib.md5(stored.read_bytes()).hexdigest() == name


def make_bench(root: Path, tool: Tool, *, experiments: int) -> Bench:
    """A bench with so many experiments queued, which a run without accidents has shown to work."""
    place = Place(root / "queued")
    place.prepare()
    make_project(
        place,
        PIPELINE,
        write("params.yaml", "lr: 0\n"),
        write("in", "in\n"),
        write(".gitignore", "/ready\n/model\n"),
    )
    rates = ",".join(str(number) for number in range(1, experiments + 1))
    queued = tool.run(("run", "--queue", "-n", "e", "-S", f"lr={rates}"), place=place)
    assert queued.code == 0, queued
    names = [f"e-{number}" for number in range(1, experiments + 1)]
    bench = Bench(place, tool, dict.fromkeys(names, ""))
    whole = bench.copy(root / "whole")
    assert whole.run("run", "--run-all", "-j", "4").code == 0
    trees = whole.stored()
    assert trees.keys() == set(names)
    return Bench(place, tool, trees)


def marked_processes(place: Place) -> Iterator[int]:
    """The processes that run with the home of `place`."""
    home = f"HOME={place.environ()['HOME']}".encode()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if home in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                yield int(name)


def kill_stages(place: Place) -> None:
    """End everything that runs at `place`, as a reboot does."""
    for pid in marked_processes(place):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def build_failing(directory: Path) -> Path | None:
    """The library of `failing.c`; None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = directory / "failing.so"
    source = Path(__file__).with_name("failing.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"],
        check=True,
        timeout=60,
    )
    return library
