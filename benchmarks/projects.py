"""The projects that are measured, and what must hold in them for a figure to count."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import Command, Failed, measure
from tests.support.environment import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Bench:
    """A project in an isolated place, with both tools and Git at hand."""

    place: Place

    @classmethod
    def create(cls, directory: Path) -> Bench:
        """An empty DVC project in a new Git repository below `directory`."""
        bench = cls(Place(directory))
        bench.place.prepare()
        bench.git("init", "--quiet")
        bench.write(".dvc/config", "")
        bench.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
        return bench

    @property
    def root(self) -> Path:
        return self.place.repo

    @property
    def env(self) -> dict[str, str]:
        env = self.place.environ()
        # Both tools are measured as installed: with their byte code.
        del env["PYTHONDONTWRITEBYTECODE"]
        return env | {"PYTHONPATH": str(HERE), "RUNS": str(self.runs)}

    @property
    def runs(self) -> Path:
        """Where stages say that they ran, whatever directory they run in."""
        return self.place.outside / "runs"

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file, its directories too."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self) -> None:
        """Commit everything there is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "commit")

    def git(self, *args: str) -> str:
        """What a Git command prints. Raises Failed."""
        return self._output(["git", *args])

    def dvc(self, *args: str) -> str:
        """What real DVC prints. Raises Failed."""
        return self._output([sys.executable, "-m", "dvc", *args])

    def exprun(
        self, *args: str, prepare: Callable[[int], Sequence[str] | None] | None = None
    ) -> Command:
        return self.python("-m", "exprun", *args, prepare=prepare)

    def real_dvc(
        self, *args: str, prepare: Callable[[int], Sequence[str] | None] | None = None
    ) -> Command:
        return self.python("-m", "dvc", *args, prepare=prepare)

    def python(
        self, *args: str, prepare: Callable[[int], Sequence[str] | None] | None = None
    ) -> Command:
        return self.command(sys.executable, *args, prepare=prepare)

    def command(
        self, *argv: str, prepare: Callable[[int], Sequence[str] | None] | None = None
    ) -> Command:
        """A command to measure, started in the project."""
        return Command(argv=argv, cwd=self.root, env=self.env, prepare=prepare)

    def require_clean(self) -> None:
        """Raise Failed unless real DVC finds nothing changed."""
        status = json.loads(self.dvc("status", "--json"))
        if status:
            raise Failed(f"dvc status is not clean: {str(status)[:500]}")

    def _output(self, argv: list[str]) -> str:
        done = subprocess.run(
            argv, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=600
        )
        if done.returncode != 0:
            raise Failed(f"`{' '.join(argv)}` failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def two_stages(directory: Path, *, first: str = "true", second: str = "true") -> Bench:
    """Two tiny stages with a parameter and a metric; each stage counts its runs outside.

    `first` and `second` are commands that the stages run besides.
    """
    bench = Bench.create(directory)
    bench.write("params.yaml", "lr: 0\nrows: 3\n")
    bench.write("in.txt", "a\nb\nc\n")
    bench.write(
        "dvc.yaml",
        f"""\
stages:
  prepare:
    cmd: {first}; head -n 3 in.txt > prepared.txt; echo prepare >> $RUNS
    deps: [in.txt]
    params: [rows]
    outs: [prepared.txt]
  train:
    cmd: sh train.sh
    deps: [prepared.txt, train.sh]
    params: [lr]
    metrics: [{{metrics.json: {{cache: false}}}}]
""",
    )
    bench.write(
        "train.sh",
        f"""\
{second}
lr=$(sed -n 's/^lr: //p' params.yaml)
echo "{{\\"lr\\": $lr}}" > metrics.json
echo train >> $RUNS
""",
    )
    # Written now, so that the first experiment does not leave it out of its commit.
    bench.write(".gitignore", "/prepared.txt\n")
    bench.commit()
    return bench


def up_to_date(bench: Bench) -> Bench:
    """Run the stages once and commit what they made; the count of runs begins anew."""
    measure(bench.exprun("repro"))
    bench.commit()
    bench.runs.unlink()
    return bench


def require_experiments(bench: Bench, owed: Mapping[str, int], *, runs: Mapping[str, int]) -> None:
    """Raise Failed unless each experiment's commit holds its metric, and stages ran that often."""
    found = {}
    for line in bench.git("for-each-ref", "--format=%(refname)", "refs/exps").split():
        if line.count("/") == 4:
            found[line.rsplit("/", 1)[-1]] = json.loads(bench.git("show", f"{line}:metrics.json"))
    if found != {name: {"lr": value} for name, value in owed.items()}:
        raise Failed(f"the commits hold {found}, not {owed}")
    counted = Counter(bench.runs.read_text().split())
    if counted != runs:
        raise Failed(f"these stages ran: {counted}, not {runs}")


def require_applicable(bench: Bench, name: str) -> None:
    """Raise Failed unless real DVC takes an experiment over and finds nothing to do then."""
    bench.dvc("exp", "apply", name)
    bench.require_clean()


def many_stages(directory: Path, count: int) -> Bench:
    """`count` stages with one dependency and one output each, up to date, as DVC would leave it."""
    bench = Bench.create(directory)
    stages, lock = [], []
    for number in range(count):
        source, out = f"in/{number % 100:02}/{number}", f"out/{number % 100:02}/{number}"
        content = f"{number}\n".encode()
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        for path in (source, out, f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}"):
            bench.write(path, content)
        entry = f"cp {source} {out}"
        stages.append(
            f"  s{number}:\n    cmd: {entry}\n    deps:\n    - {source}\n    outs:\n    - {out}\n"
        )
        file = f"hash: md5\n      md5: {md5}\n      size: {len(content)}\n"
        lock.append(
            f"  s{number}:\n    cmd: {entry}\n    deps:\n    - path: {source}\n      {file}"
            f"    outs:\n    - path: {out}\n      {file}"
        )
    bench.write("dvc.yaml", "stages:\n" + "".join(stages))
    bench.write("dvc.lock", "schema: '2.0'\nstages:\n" + "".join(lock))
    bench.write(".gitignore", "/out\n")
    bench.commit()
    return bench


def make_data(directory: Path, *, files: int, big_mb: int) -> None:
    """`files` small files and a big one that no compression or deduplication makes smaller."""
    (directory / "small").mkdir(parents=True)
    for number in range(files):
        folder = directory / "small" / f"{number % 100:02}"
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_bytes(hashlib.sha512(str(number).encode()).digest() * 16)
    block = b"".join(hashlib.sha512(f"b{n}".encode()).digest() for n in range(16384))
    with (directory / "big.bin").open("wb") as file:
        for number in range(big_mb):
            file.write(number.to_bytes(8) + block[8:])
