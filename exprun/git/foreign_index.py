"""Reading an index only Git understands: split, sparse, or of a later version."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.errors import GitError
from exprun.git.command import run_git
from exprun.git.index_file import Index, IndexEntry, pack_stat
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENTRY = pattern(
    rb"([0-7]{6}) ([0-9a-f]{40}) ([0-3])\t([^\0]*)\0"
    rb"  ctime: (\d+):(\d+)\n  mtime: (\d+):(\d+)\n"
    rb"  dev: \d+\tino: (\d+)\n  uid: (\d+)\tgid: (\d+)\n  size: (\d+)\tflags: ([0-9a-f]+)\n"
)
_ASSUME_VALID = 0x8000
_INTENT_TO_ADD = 0x2000_0000
_SKIP_WORKTREE = 0x4000_0000


def read_foreign_index(workdir: str, env: Mapping[str, str], *, mtime_ns: int) -> Index:
    """The index, asked from ``git ls-files --stage --debug``, which expands all its forms."""
    text = run_git(workdir, env, ["ls-files", "--full-name", "--stage", "--debug", "-z"])
    entries = []
    at = 0
    while at < len(text):
        match = _ENTRY.match(text, at)
        if match is None:
            raise GitError("the git index has a format that is not supported", where=workdir)
        at = match.end()
        flags = int(match[13], 16)
        entries.append(
            IndexEntry(
                path=os.fsdecode(match[4]),
                mode=int(match[1], 8),
                oid=match[2].decode(),
                stat=pack_stat(int(match[number]) for number in range(5, 13)),
                stage=int(match[3]),
                assume_valid=bool(flags & _ASSUME_VALID),
                skip_worktree=bool(flags & _SKIP_WORKTREE),
                intent_to_add=bool(flags & _INTENT_TO_ADD),
            )
        )
    return Index(entries=tuple(entries), mtime_ns=mtime_ns)
