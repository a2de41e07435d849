"""Everything a run may have changed in a project, as plain values that can be compared.

Not part of it, because both tools may do with them what they like: `.dvc/tmp`, the site cache,
`refs/exps/exec` and other scratch refs, times, and the hashes of experiment commits (which hold the
time).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.environment import Place

Text = str | list[str]
Value = dict[str, object] | None

_EXPERIMENT_REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")
_STORES = ("/.dvc/cache/", "/outside/cache/", "/outside/remote/")
_INLINE_BYTES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of one project."""

    head: str
    refs: dict[str, str]
    index: list[str]
    status: list[str]
    experiments: dict[str, Value]
    files: dict[str, Value]
    cache: dict[str, str]
    run_cache: dict[str, Text]

    def since(self, start: Snapshot) -> dict[str, object]:
        """What became of `start`: Git's side whole, files and objects only where they differ."""
        changed: dict[str, object] = asdict(self)
        for name in ("refs", "experiments", "files", "cache", "run_cache"):
            changed[name] = _changes(getattr(start, name), getattr(self, name))
        return changed


def take_snapshot(place: Place) -> Snapshot:
    """The present state of the project at `place`."""
    tree = _Tree(place)
    return Snapshot(
        head=_git(place, "rev-parse", "--symbolic-full-name", "HEAD").strip()
        + " "
        + _git(place, "rev-parse", "HEAD").strip(),
        refs=dict(_refs(place)),
        index=_git(place, "diff", "--cached", "--raw", "--no-renames", "HEAD").splitlines(),
        status=_status_against_head(place),
        experiments=dict(_experiments(place)),
        files=tree.files,
        cache=tree.cache,
        run_cache=tree.run_cache,
    )


def text_of(content: bytes) -> Text | None:
    """Content as text, a list when it has several lines; None for what is not UTF-8."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text.splitlines(keepends=True) if text.count("\n") > 1 else text


def _changes(before: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    names = sorted(before.keys() | after.keys())
    return {name: after.get(name) for name in names if before.get(name) != after.get(name)}


class _Tree:
    """The files below a place, told apart: workspace, cache objects, run cache."""

    def __init__(self, place: Place) -> None:
        self.files: dict[str, Value] = {}
        self.cache: dict[str, str] = {}
        self.run_cache: dict[str, Text] = {}
        self._place = place
        paths = sorted(_walk(place.repo)) + sorted(_walk(place.outside))
        stored = [path for path in paths if self._in_store(path)]
        self._objects = {os.lstat(path).st_ino for path in stored}
        for path in stored:
            self._add_stored(path)
        for path in paths:
            if not self._in_store(path):
                self.files[self._name(path)] = self._describe(path)

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self._place.repo)

    @staticmethod
    def _in_store(path: Path) -> bool:
        return any(part in str(path) for part in _STORES) and not path.is_dir()

    def _add_stored(self, path: Path) -> None:
        name = self._name(path)
        if "/runs/" in name:
            content = path.read_bytes()
            self.run_cache[name] = text_of(content) or content.hex()
        else:
            self.cache[name] = f"{path.stat().st_mode & 0o7777:o}"

    def _describe(self, path: Path) -> dict[str, object]:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            target = self._place.normalised(os.readlink(path))
            return {"is": "symlink", "to": target}
        if stat.S_ISDIR(status.st_mode):
            return {"is": "empty directory"}
        kind = "hardlink" if status.st_ino in self._objects else "file"
        content = path.read_bytes()
        text = text_of(content) if len(content) <= _INLINE_BYTES else None
        body = {"md5": hashlib.md5(content).hexdigest()} if text is None else {"text": text}
        return {"is": f"{kind} {status.st_mode & 0o7777:o}", **body}


def _walk(top: Path) -> Iterator[Path]:
    """Files, links and empty directories, Git's and DVC's scratch space left out."""
    for name in os.listdir(top):
        path = top / name
        if name == ".git" or (name == "tmp" and top.name == ".dvc"):
            continue
        if path.is_dir() and not path.is_symlink():
            below = list(_walk(path))
            yield from below or ([path] if not _is_stores_directory(path) else [])
        else:
            yield path


def _is_stores_directory(path: Path) -> bool:
    return any(part in f"{path}/" for part in _STORES)


def _git(place: Place, *args: str, index: Path | None = None) -> str:
    env = place.environ() | ({"GIT_INDEX_FILE": str(index)} if index else {})
    done = subprocess.run(
        ["git", *args], cwd=place.repo, env=env, capture_output=True, check=True, timeout=60
    )
    return done.stdout.decode(errors="surrogateescape")


def _refs(place: Place) -> Iterator[tuple[str, str]]:
    for line in _git(place, "for-each-ref", "--format=%(refname) %(objectname)").splitlines():
        name, commit = line.split(" ")
        if not name.startswith(("refs/exps/", "refs/exprun/")):
            yield name, commit


def _status_against_head(place: Place) -> list[str]:
    """`git status` as if nothing were staged: DVC un-stages what the user had, exprun does not."""
    index = place.root / "index-of-head"
    index.unlink(missing_ok=True)
    _git(place, "read-tree", "HEAD", index=index)
    return _git(place, "status", "--porcelain", index=index).splitlines()


def _experiments(place: Place) -> Iterator[tuple[str, Value]]:
    listing = _git(place, "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    for ref in listing:
        if found := _EXPERIMENT_REF.fullmatch(ref):
            yield f"{found[3]} of {found[1]}{found[2][:5]}", _experiment(place, ref)


def _experiment(place: Place, ref: str) -> Value:
    header, message = _git(place, "cat-file", "commit", ref).split("\n\n", 1)
    fields = dict(line.split(" ", 1) for line in header.splitlines())
    changes: dict[str, object] = {}
    listing = _git(place, "diff-tree", "-r", "-z", "--no-renames", fields["parent"], ref)
    parts = listing.split("\0")[:-1]
    for entry, path in zip(parts[::2], parts[1::2], strict=True):
        _, mode, _, blob, how = entry.split(" ")
        changes[path] = None if how == "D" else _committed(place, path, mode, blob)
    return {
        "tree": fields["tree"],
        "parent": fields["parent"],
        "author": fields["author"].rsplit(" ", 2)[0],
        "message": message,
        "changes": changes,
    }


def _committed(place: Place, path: str, mode: str, blob: str) -> str | dict[str, object]:
    """Mode and hash, with the text where the workspace does not show it already."""
    if mode == "160000":
        return f"{mode} {blob}"
    content = _git(place, "cat-file", "blob", blob).encode(errors="surrogateescape")
    here = place.repo / path
    if here.is_file() and here.read_bytes() == content:
        return f"{mode} {blob}"
    text = text_of(content) if len(content) <= _INLINE_BYTES else None
    return {"is": f"{mode} {blob}", "text": text}
