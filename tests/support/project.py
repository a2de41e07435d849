"""Projects described as lists of actions, and built once for all tests that start alike."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING

from tests.support.environment import Place, commit_dates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.forkserver import Finished
    from tests.support.tools import Runs

DVCIGNORE = """\
# Add patterns of files dvc should ignore, which could improve
# the performance. Learn more at
# https://dvc.org/doc/user-guide/dvcignore
"""


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file, its directories too; paths are relative to the repository."""

    path: str
    content: str | bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Delete:
    path: str
    missing_ok: bool = False


@dataclass(frozen=True, slots=True)
class Chmod:
    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    path: str


@dataclass(frozen=True, slots=True)
class Symlink:
    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Git:
    args: tuple[str, ...]
    cwd: str = "."


@dataclass(frozen=True, slots=True)
class Dvc:
    """A command that real DVC runs, whatever tool is under test."""

    args: tuple[str, ...]
    cwd: str = "."


@dataclass(frozen=True, slots=True)
class Experiment:
    """`dvc exp run` or `exprun run`, with the same arguments."""

    args: tuple[str, ...]
    cwd: str = "."


@dataclass(frozen=True, slots=True)
class Reproduce:
    """`dvc repro` or `exprun repro`, with the same arguments."""

    args: tuple[str, ...]
    cwd: str = "."


Action = Write | Delete | Chmod | MakeDirectory | Symlink | Git | Dvc | Experiment | Reproduce


def write(path: str, content: str | bytes, mode: int = 0o644) -> Write:
    """A file; text may be indented with the code around it."""
    text = dedent(content) if isinstance(content, str) else content
    return Write(path, text, mode)


def git(*args: str, cwd: str = ".") -> Git:
    return Git(args, cwd)


def dvc(*args: str, cwd: str = ".") -> Dvc:
    return Dvc(args, cwd)


def run(*args: str, cwd: str = ".") -> Experiment:
    return Experiment(args, cwd)


def repro(*args: str, cwd: str = ".") -> Reproduce:
    return Reproduce(args, cwd)


def commit(message: str = "commit") -> tuple[Action, ...]:
    return git("add", "--all"), git("commit", "--quiet", "--allow-empty", "-m", message)


def init_dvc(directory: str = ".") -> tuple[Action, ...]:
    """What `dvc init` leaves in `directory`, without the second it takes."""
    return (
        write(f"{directory}/.dvc/config", ""),
        write(f"{directory}/.dvc/.gitignore", "/config.local\n/tmp\n/cache\n"),
        write(f"{directory}/.dvcignore", DVCIGNORE),
    )


@dataclass
class Refused(AssertionError):
    """A set-up command failed, so the project is not what its case wants."""

    action: Action
    output: str


def perform(
    action: Action, place: Place, *, tool: Runs, dvc_tool: Runs, at: int
) -> Finished | None:
    """Carry out one action; the outcome of a tool's command is returned, not judged."""
    target = place.repo / getattr(action, "path", ".")
    match action:
        case Write():
            target.parent.mkdir(parents=True, exist_ok=True)
            content = action.content
            target.write_bytes(content.encode() if isinstance(content, str) else content)
            target.chmod(action.mode)
        case Delete():
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=action.missing_ok)
        case Chmod():
            target.chmod(action.mode)
        case MakeDirectory():
            target.mkdir(parents=True, exist_ok=True)
        case Symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(action.target)
        case Git():
            _git(action, place, at)
        case Dvc():
            finished = dvc_tool.run(action.args, place=place, cwd=action.cwd)
            if finished.code != 0:
                raise Refused(action, finished.stdout + finished.stderr)
        case Experiment():
            argv = (*tool.experiment_command, *action.args)
            return tool.run(argv, place=place, cwd=action.cwd)
        case Reproduce():
            return tool.run(("repro", *action.args), place=place, cwd=action.cwd)
    return None


def _git(action: Git, place: Place, at: int) -> None:
    done = subprocess.run(
        ["git", *action.args],
        cwd=place.repo / action.cwd,
        env=place.environ() | commit_dates(at),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        raise Refused(action, done.stdout + done.stderr)


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds starting points, each of them once, in `directory`."""

    directory: Path
    dvc: Runs
    _built: dict[str, Place] = field(default_factory=dict)

    def build(self, start: tuple[Action, ...], *, into: Path) -> Place:
        """A fresh copy of the project that `start` describes."""
        template = self._template(start)
        subprocess.run(["cp", "-a", str(template.root), str(into)], check=True, timeout=60)
        place = Place(into)
        _retarget_links(place, template)
        return place

    def _template(self, start: tuple[Action, ...]) -> Place:
        key = hashlib.sha256(repr(start).encode()).hexdigest()[:16]
        if key not in self._built:
            place = Place(self.directory / key)
            place.prepare()
            for number, action in enumerate(start):
                perform(action, place, tool=self.dvc, dvc_tool=self.dvc, at=number)
            self._built[key] = place
        return self._built[key]


def _retarget_links(place: Place, template: Place) -> None:
    """Links into the cache are absolute: let the copy's point into the copy."""
    for link in _links(place.root):
        target = os.readlink(link)
        if target.startswith(str(template.root)):
            os.unlink(link)
            os.symlink(str(place.root) + target[len(str(template.root)) :], link)


def _links(top: Path) -> Iterator[str]:
    for directory, subdirectories, names in os.walk(top):
        if ".git" in subdirectories:
            subdirectories.remove(".git")
        for name in subdirectories + names:
            path = os.path.join(directory, name)
            if os.path.islink(path):
                yield path
