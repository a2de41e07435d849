"""Reads an entry of the layout that nearly all have, at the speed of regular expressions.

Paths of letters, digits and a little punctuation; MD5s that no YAML reader takes for a number;
nothing quoted, wrapped or legacy among dependencies and outputs. The parameters are left to
`blocks`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from exprun.formats.blocks import read_mapping
from exprun.formats.emit import emit_mapping
from exprun.formats.plain import NotSimple, is_plain
from exprun.model.lock import Content, LockedPath, LockedStage, Oid
from exprun.model.patterns import pattern

_REMEMBERED = 256

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


@lru_cache(_REMEMBERED)
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


@lru_cache(_REMEMBERED)
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
