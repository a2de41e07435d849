"""An isolated workspace: a tree's files in a directory with a Git repository of its own.

It lives in a *slot*, a directory made for re-use::

    <slot>/lock     held (flock) by the process that uses the slot
    <slot>/state    what was written and when, with checksums; empty while that is not certain
    <slot>/left     what was left besides; only there while the slot is kept for a later process
    <slot>/root/    the workspace
    <slot>/stuck-*  former ones that could not be deleted

The state is emptied before anything is touched and is written last, so a crash at any moment leaves
a slot that is visibly dirty; a dirty one is emptied before it is used. Switching a clean slot to
another tree writes only what differs from the files that are still as written.
"""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.content import read_file, read_with_mtime
from exprun.errors import GitError
from exprun.git.conversion import attribute_files, conversion_state
from exprun.git.index_file import format_index, is_whole_index, parse_index
from exprun.git.isolated_git import (
    create_isolated_git,
    holds,
    isolated_settings,
    reuse_isolated_git,
)
from exprun.git.tree import GITLINK, Entry
from exprun.model.files import naming
from exprun.model.values import dataclass, field
from exprun.store.modes import Modes
from exprun.workspaces.baselines import Baselines
from exprun.workspaces.checkout import write_files, write_submodules
from exprun.workspaces.materialise import Cleaning, remove_tree
from exprun.workspaces.overwriting import overwrite, rewrite
from exprun.workspaces.workspace_index import UNKNOWN, write_index

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Self

    from exprun.git.index_file import Index, IndexEntry
    from exprun.git.repository import Repository

_KEPT = "left"
_STUCK = "stuck-"
_KEY_BYTES = 65
_SIZE = struct.Struct(">Q")

LOCATION = "exprun"
"""The directory of slots below ``.dvc/tmp/exps``: DVC looks only at others there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedWorkspace:
    """A workspace ready to run in. `repository` is its own; experiments go to the user's.

    `left` are the paths, relative to `root`, that are there besides the tree's: see `Slot.leave`.
    """

    root: str
    repository: Repository
    baseline: str
    tree: str
    left: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSource:
    """Where workspaces are made from: the user's repository and the settings they get."""

    repository: Repository
    baselines: Baselines
    settings: str
    conversions: bytes
    umask: int
    extra_files: Mapping[str, bytes] = field(default_factory=dict)
    """Files besides the tree's, by path in the worktree: ``.dvc/config.local``."""


def workspace_source(
    repository: Repository, *, extra_files: Mapping[str, bytes] | None = None
) -> WorkspaceSource:
    """Prepare making workspaces; once for any number of them."""
    return WorkspaceSource(
        repository=repository,
        baselines=Baselines(repository),
        settings=isolated_settings(repository),
        conversions=conversion_state(repository),
        umask=Modes.current().umask,
        extra_files=extra_files or {},
    )


class Slot:
    """A directory that one process at a time uses for one workspace after another."""

    def __init__(self, directory: str, lock: int) -> None:
        self.directory = directory
        self.root = os.path.join(directory, "root")
        self._lock = lock
        self._state = os.path.join(directory, "state")
        self._kept = os.path.join(directory, _KEPT)
        self._umask: int | None = None
        self._left: Sequence[str] = _read_names(self._kept)
        self._last: tuple[bytes, Mapping[str, IndexEntry]] = b"", {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def number(self) -> int:
        """The slot's name in its directory."""
        return int(os.path.basename(self.directory))

    @property
    def is_there(self) -> bool:
        """Whether nobody has removed the slot, which might be another process's by now."""
        return _is_same_file(self._lock, os.path.join(self.directory, "lock"))

    def close(self) -> None:
        """Let others have the slot; what it holds stays for them to switch from."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def leave(self, paths: Iterable[str]) -> None:
        """Have these paths, relative to the root, left where they are by the next `make`.

        Large outputs need not be removed and made again then; whoever makes the workspace has to
        see to it that they are what is wanted there.
        """
        self._left = tuple(paths)

    def keep(self) -> bool:
        """Have what is left, and the tree's files as they were written, still be there for a later
        process; whether there is anything to keep. All else is removed.
        """
        if self._umask is None or not self._left:
            return bool(self._left)
        left = self._clean(self._umask)
        if left:
            rewrite(self._kept, b"\0".join(map(os.fsencode, left)))
        return bool(left)

    def strip(self) -> None:
        """Delete what was made here since `make`, so that it takes no room. What `make` has written
        stays for the next one.
        """
        self._left = ()
        try:
            if self._umask is not None and not os.path.islink(self.root):
                self._clean(self._umask)
                return
        except OSError:  # a stage made a directory read-only, or removed the whole of it
            pass
        self.clear()

    def _clean(self, umask: int) -> Sequence[str]:
        """Delete all but the tree's files as they were written, and what is left of what was to be
        left.
        """
        written, mtime_ns = self._read_state()
        cleaning = Cleaning(
            self.root,
            written,
            {path: Entry(file.mode, file.oid) for path, file in written.items()},
            spared=(),
            left=self._left,
            racy_from_ns=mtime_ns,
            umask=umask,
        )
        cleaning.run()
        for path in cleaning.over:
            os.unlink(os.path.join(self.root, path))
        return cleaning.left

    def clear(self) -> None:
        """Delete the workspace; the slot stays."""
        self._left = ()
        _unlink(self._kept)
        _unlink(self._state)
        self._discard(self.root)

    def remove(self) -> list[str]:
        """Delete the workspace and the slot, and let it go; what cannot be deleted."""
        self.clear()
        stuck = self._still_stuck()
        _unlink(os.path.join(self.directory, "lock"))
        # Somebody else may be making it anew.
        with suppress(OSError):
            os.rmdir(self.directory)
        self.close()
        return stuck

    def _discard(self, path: str) -> None:
        """Delete a directory. What is another user's, say, is put aside: it is in nobody's way."""
        try:
            remove_tree(path)
        except OSError:
            os.rename(path, os.path.join(self.directory, f"{_STUCK}{os.urandom(4).hex()}"))

    def _still_stuck(self) -> list[str]:
        """Delete what was put aside; what of it cannot be deleted now, either."""
        stuck = []
        for name in os.listdir(self.directory):
            if name.startswith(_STUCK):
                path = os.path.join(self.directory, name)
                try:
                    remove_tree(path)
                except OSError:
                    stuck.append(path)
        return stuck

    def make(self, source: WorkspaceSource, *, baseline: str, tree: str) -> IsolatedWorkspace:
        """Turn the slot into a workspace of `tree`, whatever it held before.

        HEAD is detached at `baseline`; as in DVC's, what the tree adds to that commit is staged and
        what it changes or removes is not. Raises GitError for a tree that may not be written, or if
        an object is missing.
        """
        known = source.baselines.of(baseline)
        wanted = known.files_of(source.repository.objects, tree)
        key = _conversion_key(source, wanted)
        left, self._left = self._left, ()
        self._umask = source.umask
        _unlink(self._kept)
        written, over, there = self._start(source, key, wanted, left)
        repository = self._make_git(source, baseline)
        written |= write_files(repository, source.repository, wanted, set(written), over=over)
        write_submodules(self.root, source.repository, wanted)
        data, index = write_index(repository, written, known, tree=tree)
        _write_extra(self.root, source, wanted)
        self._finish(key, written, data, index)
        return IsolatedWorkspace(
            root=self.root,
            repository=repository,
            baseline=baseline,
            tree=tree,
            left=there,
        )

    def _start(
        self,
        source: WorkspaceSource,
        key: bytes,
        wanted: Mapping[str, Entry],
        left: Collection[str],
    ) -> tuple[dict[str, IndexEntry], dict[str, int], Sequence[str]]:
        """Make the state uncertain and clear away all but the files that can stay, those that can
        be written over, and what was `left` and is in nobody's way.
        """
        known, mtime_ns = self._read_state(key)
        # A link to a directory is no slot's: whoever made it, what lies behind it stays.
        if not overwrite(self._state, b"") or os.path.islink(self.root):
            return self._empty()
        kept = {
            path: file
            for path, file in known.items()
            if (file.mode, file.oid) == wanted.get(path) and file.mode != GITLINK
        }
        if not (kept or left):
            return self._empty()
        cleaning = Cleaning(
            self.root,
            kept,
            wanted,
            spared=source.extra_files,
            left=left,
            racy_from_ns=mtime_ns,
            umask=source.umask,
        )
        try:
            cleaning.run()
        except OSError:  # a stage made a directory read-only, or somebody removed all of it
            return self._empty()
        return {path: kept[path] for path in cleaning.stay}, cleaning.over, cleaning.left

    def _make_git(self, source: WorkspaceSource, baseline: str) -> Repository:
        origin, settings = source.repository, source.settings
        same = reuse_isolated_git(self.root, origin, commit=baseline, settings=settings)
        if same is not None:
            return same
        self._discard(os.path.join(self.root, ".git"))
        return create_isolated_git(self.root, origin, commit=baseline, settings=settings)

    def _empty(self) -> tuple[dict[str, IndexEntry], dict[str, int], Sequence[str]]:
        self._discard(self.root)
        os.mkdir(self.root, 0o700)
        return {}, {}, ()

    def _read_state(self, key: bytes = b"") -> tuple[Mapping[str, IndexEntry], int]:
        """What a clean slot holds, if it was written under these conversions, or under any."""
        try:
            data, mtime_ns = read_with_mtime(self._state)
        except FileNotFoundError:
            return {}, 0
        if not data.startswith(key):
            return {}, 0
        known, written = self._last
        if data == known:
            return written, mtime_ns
        start = _KEY_BYTES + _SIZE.size
        end = start + int.from_bytes(data[_KEY_BYTES:start])
        index, others = data[start:end], data[end:]
        if not (is_whole_index(index) and is_whole_index(others)):
            return {}, 0
        entries = (*parse_index(index).entries, *parse_index(others).entries)
        return {entry.path: entry for entry in entries if entry.stat != UNKNOWN}, mtime_ns

    def _finish(
        self, key: bytes, written: Mapping[str, IndexEntry], data: bytes, index: Index
    ) -> None:
        """Record what was written: the index that was made, and what that does not tell."""
        told = {entry.path: entry for entry in index.entries}
        others = [file for path, file in written.items() if told.get(path) is not file]
        state = key + _SIZE.pack(len(data)) + data + format_index(others, {})
        rewrite(self._state, state)
        self._last = state, written


def open_slot(directory: str) -> Slot | None:
    """The slot in `directory`, made if there is none; None if another process uses it."""
    import fcntl

    path = os.path.join(directory, "lock")
    while True:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # removed just now
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if _is_same_file(lock, path):
            return Slot(directory, lock)
        # The slot was removed between opening its lock and getting it.
        os.close(lock)


def is_kept(directory: str) -> bool:
    """Whether the slot in `directory` has something for a later process; see `Slot.keep`."""
    return os.path.lexists(os.path.join(directory, _KEPT))


def _read_names(path: str) -> tuple[str, ...]:
    try:
        return tuple(map(os.fsdecode, read_file(path).split(b"\0")))
    except FileNotFoundError:
        return ()


def _write_extra(root: str, source: WorkspaceSource, wanted: Mapping[str, Entry]) -> None:
    for path, data in source.extra_files.items():
        if path in wanted:
            raise GitError("a file of the workspace is tracked by git", where=path)
        if not _is_inside(root, path, wanted):
            raise GitError("a link that git tracks leads out of the workspace", where=path)
        full = os.path.join(root, path)
        if holds(full, data):
            continue
        _unlink(full)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with naming(full), open(os.open(full, flags, 0o600), "wb") as file:
            file.write(data)


def _is_inside(root: str, path: str, wanted: Mapping[str, Entry]) -> bool:
    """Whether what lies at `path` is in the workspace: links on the way there can only be the
    tree's, as all others have been cleared away.
    """
    if not any(path[:at] in wanted for at, char in enumerate(path) if char == "/"):
        return True
    real_root = os.path.realpath(root)
    directory = os.path.realpath(os.path.join(root, os.path.dirname(path)))
    return os.path.commonpath([real_root, directory]) == real_root


def _conversion_key(source: WorkspaceSource, wanted: Mapping[str, Entry]) -> bytes:
    """Equal for two trees only if Git would write equal blobs as equal files of equal modes."""
    digest = hashlib.sha256(b"%o\0%s\0" % (source.umask, source.conversions))
    for path in sorted(attribute_files(wanted)):
        digest.update(f"{path}\0{wanted[path].oid}\0".encode(errors="surrogateescape"))
    return digest.hexdigest().encode() + b"\n"


def _is_same_file(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
