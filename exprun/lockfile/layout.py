"""Reads an entry of the layout that nearly all have, at the speed of regular expressions.

Paths of letters, digits and a little punctuation; MD5s that no YAML reader takes for a number;
nothing quoted, wrapped or legacy among dependencies and outputs. The parameters are left to
`blocks`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from exprun.formats.blocks import read_mapping
from exprun.formats.emit import emit_mapping
from exprun.formats.plain import NotSimple, is_plain
from exprun.model.lock import Content, LockedPath, LockedStage, Oid
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SMALL = 2_000
"""So many characters have entries of which many are remembered: more than most projects have."""

_ITEM_PATTERN = r"""
    \ {4}-\ path:\ (?!(?:[Tt]rue|TRUE|[Ff]alse|FALSE|[Nn]ull|NULL)\n)
        ((?:[A-Za-z_/]|\.\.?/)[A-Za-z0-9_./@+=,-]{0,60})\n
    \ {6}hash:\ md5\n
    \ {6}md5:\ (?=[0-9a-f]*[acdf])([0-9a-f]{32}(?:\.dir)?)\n
    \ {6}size:\ (0|[1-9][0-9]*)\n
    (?:\ {6}nfiles:\ (0|[1-9][0-9]*)\n)?
    (?:\ {6}isexec:\ (true)\n)?
"""
_ITEM = pattern(_ITEM_PATTERN, re.VERBOSE)
_ITEMS = re.sub(r"\((?!\?)", "(?:", _ITEM_PATTERN)
_ENTRY = pattern(
    rf"""
    \ {{4}}cmd:\ ([^\n]*)\n((?:\ {{6}}[^\n]*\n)*)
    (?:\ {{4}}deps:\n((?:{_ITEMS})+))?
    (?:\ {{4}}params:\n((?:\ {{6}}[^\n]*\n)+))?
    (?:\ {{4}}outs:\n((?:{_ITEMS})+))?
    """,
    re.VERBOSE,
)


def _remembered(read: Callable[[str], T]) -> Callable[[str], T]:
    """`read`, which is not asked again about texts that it was asked about a moment ago."""
    few, many = lru_cache(256)(read), lru_cache(4096)(read)
    return lambda text: (many if len(text) <= _SMALL else few)(text)


@_remembered
def read_entry(text: str) -> LockedStage | None:
    """The entry whose lines are `text`, None where it is not of this layout.

    Experiments have most of them in common. It is not to be changed.
    """
    match = _ENTRY.fullmatch(text)
    if match is None:
        return None
    cmd, more, deps, params, outs = match.groups()
    if more or not is_plain(cmd):
        return None
    try:
        files: Any = read_mapping(params, 6) if params else {}
    except NotSimple:
        return None
    if not all(type(values) is dict for values in files.values()):
        return None
    return LockedStage(cmd=cmd, deps=_read_items(deps), params=files, outs=_read_items(outs))


@_remembered
def is_settled(text: str) -> bool:
    """Whether the lines `text` are of this layout, and DVC leaves them exactly as they are."""
    entry = read_entry(text)
    return entry is not None and is_written_so(text, entry)


def is_written_so(text: str, locked: LockedStage) -> bool:
    """Whether DVC leaves an entry that was read from `text` exactly as it is."""
    match = _ENTRY.fullmatch(text)
    if match is None:
        return False
    cmd, more, _, params, _ = match.groups()
    try:
        command = emit_mapping({"cmd": locked.cmd}, 4, stable=True)
        values = emit_mapping(locked.params, 6, stable=True) if params else None
    except NotSimple:
        return False
    return command == f"    cmd: {cmd}\n{more}" and values == params


@lru_cache(256)
def _read_items(text: str | None) -> tuple[LockedPath, ...]:
    if not text:
        return ()
    return tuple(
        LockedPath(
            path=path,
            content=Content(
                oid=Oid(md5),
                size=int(size),
                nfiles=int(nfiles) if nfiles else None,
                isexec=bool(isexec),
            ),
        )
        for path, md5, size, nfiles, isexec in _ITEM.findall(text)
    )
