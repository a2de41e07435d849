"""Telling which experiments run, to DVC and to other commands of ours, in the files DVC writes.

``dvc exp show`` takes an experiment for running while there is an information file about it. That
of the workspace, ``exps/run/workspace/workspace.run``, counts while the process of its pid lives;
others, ``exps/standalone/run/<40 hex>/<40 hex>.run``, while the directory they name exists. (DVC's
``repo/experiments/executor/base.py``, ``queue/workspace.py``, ``queue/tempdir.py``.) Such a name
is here the session's mark and the experiment's id. A third file beside them holds the mark and the
pid: by that, what the dead have announced is found and removed.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from exprun.model.patterns import pattern
from exprun.project.root import DVC_DIR
from exprun.queue.leftovers import remove_tree
from exprun.runner.presence import is_present
from exprun.workspaces.overwriting import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exprun.project.root import Place

_RUNNING = 2
_OURS = "exprun"
_OURS_TEXT = pattern(r"([0-9a-f]{32}) (\d+)")
# What is being written, or removed; see `_write`.
_HIDDEN = pattern(r"\.[0-9a-f]{40}")
_WORKSPACE = "workspace"


class Announcement(NamedTuple):
    """An experiment that runs in the project at `root`; `id` is its own in the queue, unknown of
    the one in the workspace. `rev` stands for the commit that it does not have yet.
    """

    rev: str
    id: str
    name: str
    baseline: str
    root: str
    location: str
    pid: int
    log_dir: str | None


class Announcements:
    """What the session of one mark tells of what it runs. Thread-safe.

    To announce costs nothing: only what still runs at the second `tell` from then gets files.
    """

    def __init__(self, place: Place, mark: str) -> None:
        self._place = place
        self._mark = mark
        self._new: dict[str, Announcement] = {}
        self._waiting: dict[str, Announcement] = {}
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def announce(self, root: str, *, name: str, baseline: str, log_dir: str, id: str) -> None:
        """Have it told that an experiment runs in the project at `root`, until `withdraw`."""
        key = self._key(root, id)
        with self._lock:
            self._new[key] = Announcement(
                rev=key,
                id=id,
                name=name,
                baseline=baseline,
                root=root,
                location=_WORKSPACE if key == _WORKSPACE else "tempdir",
                pid=os.getpid(),
                log_dir=log_dir,
            )

    @property
    def are_waiting(self) -> bool:
        """Whether there is something to `tell`, by now or the next time."""
        return bool(self._waiting or self._new)

    def tell(self) -> None:
        """Tell of what had been announced by the last time, and still runs.

        What cannot be written is not told: nothing else depends on it.
        """
        with self._lock:
            while self._waiting:
                key, announcement = self._waiting.popitem()
                with suppress(OSError):
                    self._write(announcement)
                    self._told.add(key)
            self._waiting, self._new = self._new, {}

    def withdraw(self, root: str, id: str) -> None:
        """Tell no longer that an experiment runs there."""
        with self._lock:
            self._forget(self._key(root, id))

    def withdraw_all(self) -> None:
        """Tell of nothing any more."""
        with self._lock:
            for key in [*self._new, *self._waiting, *self._told]:
                self._forget(key)

    def _key(self, root: str, id: str) -> str:
        return _WORKSPACE if root == self._place.root else self._mark + id

    def _write(self, announcement: Announcement) -> None:
        key = announcement.rev
        directory = _directory(self._place, key)
        # DVC fails on a directory that lacks its file, so it gets its name last.
        new = directory if key == _WORKSPACE else _hidden(self._place, key)
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        os.makedirs(new, exist_ok=True)
        texts = {
            _OURS: f"{self._mark} {announcement.pid}",
            f"{key}.run": json.dumps(_info(announcement, self._place)),
            f"{key}.json": json.dumps(_process(announcement)),
        }
        for file, text in texts.items():
            rewrite(os.path.join(new, file), text.encode())
        if new != directory:
            os.rename(new, directory)

    def _forget(self, key: str) -> None:
        self._new.pop(key, None)
        self._waiting.pop(key, None)
        if key not in self._told:
            return
        self._told.discard(key)
        if key == _WORKSPACE:
            _remove_from_workspace(self._place, os.getpid())
        else:
            with suppress(OSError):
                remove_tree(_hide(self._place, key))


def _info(announcement: Announcement, place: Place) -> dict[str, object]:
    """What DVC writes of an experiment."""
    above = os.path.relpath(".", place.prefix or ".")
    return {
        "git_url": f"file://{place.root}",
        "baseline_rev": announcement.baseline,
        "location": announcement.location,
        "root_dir": os.path.normpath(os.path.join(announcement.root, above)),
        "dvc_dir": os.path.join(place.prefix, DVC_DIR),
        "name": announcement.name,
        "wdir": place.prefix or ".",
        "result_hash": None,
        "result_ref": None,
        "result_force": False,
        "status": _RUNNING,
    }


def _process(announcement: Announcement) -> dict[str, object]:
    """What DVC writes of the process that runs an experiment."""
    unknown: dict[str, object] = dict.fromkeys(("stdin", "stderr", "returncode"))
    return unknown | {"pid": announcement.pid, "stdout": announcement.log_dir}


def forget_the_dead(place: Place) -> None:
    """Remove what sessions have announced that have died since."""
    for key, mark, pid in _announced(place):
        if is_present(place.running_dir, mark):
            continue
        if key == _WORKSPACE:
            _remove_from_workspace(place, pid)
        else:
            with suppress(OSError):
                remove_tree(_hide(place, key))
    above = os.path.dirname(_hidden(place, ""))
    for name in filter(_HIDDEN.fullmatch, _names_in(above)):
        if not is_present(place.running_dir, name[1:33]):
            remove_tree(os.path.join(above, name))


def list_announced(place: Place) -> Iterator[Announcement]:
    """The experiments that run, as living sessions announce them."""
    for key, mark, pid in _announced(place):
        if not is_present(place.running_dir, mark):
            continue
        directory = _directory(place, key)
        with suppress(OSError, ValueError, KeyError, TypeError):
            info = _load(os.path.join(directory, f"{key}.run"))
            log_dir = _load(os.path.join(directory, f"{key}.json"))["stdout"]
            root = os.path.join(str(info["root_dir"]), place.prefix)
            yield Announcement(
                rev=key,
                id="" if key == _WORKSPACE else key.removeprefix(mark),
                name=str(info["name"]),
                baseline=str(info["baseline_rev"]),
                root=os.path.normpath(root),
                location=str(info["location"]),
                pid=pid,
                log_dir=log_dir if isinstance(log_dir, str) else None,
            )


def _announced(place: Place) -> Iterator[tuple[str, str, int]]:
    """The key of each announcement of ours, with the mark and pid of who made it."""
    for key in [_WORKSPACE, *_names_in(os.path.dirname(_directory(place, "")))]:
        try:
            with open(os.path.join(_directory(place, key), _OURS), encoding="utf-8") as file:
                found = _OURS_TEXT.fullmatch(file.read(64))
        except (OSError, ValueError):
            continue
        if found and (key == _WORKSPACE or key.startswith(found[1])):
            yield key, found[1], int(found[2])


def _names_in(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _directory(place: Place, key: str) -> str:
    kind = ("run", key) if key == _WORKSPACE else ("standalone", "run", key)
    return os.path.join(place.tmp_dir, "exps", *kind)


def _hidden(place: Place, key: str) -> str:
    """Where what `_directory` names is made and removed: DVC fails on one that is not whole."""
    return os.path.join(place.tmp_dir, "exps", "standalone", f".{key}")


def _hide(place: Place, key: str) -> str:
    """Take an announcement out of sight; the directory that it is now."""
    hidden = _hidden(place, key)
    os.rename(_directory(place, key), hidden)
    return hidden


def _remove_from_workspace(place: Place, pid: int) -> None:
    directory = _directory(place, _WORKSPACE)
    with suppress(OSError, ValueError, KeyError, TypeError):
        os.unlink(os.path.join(directory, _OURS))
        # DVC may have announced a run of its own meanwhile.
        if _load(os.path.join(directory, f"{_WORKSPACE}.json"))["pid"] == pid:
            for file in (f"{_WORKSPACE}.json", f"{_WORKSPACE}.run"):
                os.unlink(os.path.join(directory, file))
            os.rmdir(directory)


def _load(path: str) -> dict[str, object]:
    with open(path, encoding="utf-8") as file:
        loaded = json.load(file)
    return loaded if isinstance(loaded, dict) else {}
