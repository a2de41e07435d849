"""What a command answered, to be repeated for as long as nothing that it looked at has changed.

An answer is kept with the state of every path that it rests on: inode, size, mtime and ctime, or
that nothing is there. Every write moves a ctime, which nobody can set. An answer is only kept if
all these times lie before the command began to look, so that no write can have come between looking
and noting, nor hide in the same tick of the clock.

This module is loaded before anything else is: it imports next to nothing.
"""

from __future__ import annotations

import os
import sys

from exprun import __version__

TYPE_CHECKING = False  # as in `exprun.cli.main`
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FORMAT = "exprun-answer/1"
_END = "end"
_ABSENT = "-"
_VARIABLES = (
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "DVC_SYSTEM_CONFIG_DIR",
    "DVC_GLOBAL_CONFIG_DIR",
)
"""The environment variables that decide which files are read."""

_MOST_PATHS = 500_000


class Question:
    """A command line without options, asked in a project. Its last answer may still hold."""

    def __init__(self, words: Sequence[str], *, cwd: str, state_dir: str, env: Mapping[str, str]):
        self._state_dir = state_dir
        self._path = os.path.join(state_dir, f"answer-{words[0]}")
        self._asked = [cwd, *map(repr, words), *(f"{env.get(name)!r}" for name in _VARIABLES)]

    def recall(self) -> str | None:
        """The answer, if it has been kept and nothing has changed, and no session is at work."""
        try:
            if os.listdir(os.path.join(self._state_dir, "running")):
                return None
        except FileNotFoundError:
            pass
        except OSError:
            return None
        try:
            with open(
                os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb"
            ) as file:
                text = file.read().decode("utf-8", "surrogateescape")
            header = self._header()
        except OSError:
            return None
        kept, _, rest = text.partition("\0")
        answer, _, rest = rest.partition("\0")
        *noted, end = rest.split("\0")
        if kept != header or end != _END or not _still_hold(noted[::2], noted[1::2]):
            return None
        return answer

    def keep(self, answer: str, paths: Iterable[str], *, began_ns: int) -> None:
        """Keep an answer that rests on `paths`, unless one changed since `began_ns`.

        Nor is it kept if one is relative, as it is where the environment names a directory so.
        """
        fields = [answer]
        for path in dict.fromkeys(paths):
            state = _settled_state(path, began_ns) if os.path.isabs(path) else None
            if state is None or len(fields) > 2 * _MOST_PATHS:
                return
            fields += [path, state]
        if "\0" in answer:
            return
        from exprun.project.state_files import replace_state

        try:
            os.makedirs(self._state_dir, exist_ok=True)
            text = "\0".join([self._header(), *fields, _END])
            replace_state(self._path, text.encode("utf-8", "surrogateescape"))
        except OSError:
            # A full or read-only disk: the command looks again next time.
            return

    def _header(self) -> str:
        """Who asked what, where and with which program.

        The directory's inode is part of it so that a repository cannot bring answers along.
        """
        place = os.stat(self._state_dir)
        program = [_FORMAT, __version__, f"{sys.hexversion:x}", str(os.geteuid())]
        return "\n".join([*program, f"{place.st_dev:x}-{place.st_ino:x}", *self._asked])


def ask(words: Sequence[str], *, cwd: str, env: Mapping[str, str]) -> Question | None:
    """The question that a command line puts, None if it has options or is not in a project."""
    if any(word.startswith("-") for word in words):
        return None
    at = os.path.abspath(cwd)
    while not os.path.isdir(os.path.join(at, ".dvc")):
        above = os.path.dirname(at)
        if above == at or os.path.ismount(at):
            return None
        at = above
    state_dir = os.path.join(at, ".dvc", "tmp", "exprun")
    return Question(words, cwd=os.path.abspath(cwd), state_dir=state_dir, env=env)


def _still_hold(paths: Sequence[str], states: Sequence[str]) -> bool:
    stat = os.stat
    for path, state in zip(paths, states, strict=True):
        try:
            found = stat(path)
            if state != (f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"):
                return False
        except OSError:
            if state != _ABSENT:
                return False
    return True


def _settled_state(path: str, began_ns: int) -> str | None:
    """How `path` is now, None if it may have changed since `began_ns`."""
    try:
        found = os.stat(path)
    except OSError:
        return _ABSENT if _absent_since(path, began_ns) else None
    if max(found.st_mtime_ns, found.st_ctime_ns) >= began_ns:
        return None
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _absent_since(path: str, began_ns: int) -> bool:
    """Whether nothing has gone from where `path` would be."""
    try:
        above = os.stat(os.path.dirname(path))
    except FileNotFoundError:
        return _absent_since(os.path.dirname(path), began_ns)
    except OSError:
        return False
    return max(above.st_mtime_ns, above.st_ctime_ns) < began_ns
