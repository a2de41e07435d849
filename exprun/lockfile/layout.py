"""Reads an entry of the layout that nearly all have, at the speed of regular expressions.

Paths of letters, digits and a little punctuation; MD5s that no YAML reader takes for a number;
nothing quoted, wrapped or legacy among dependencies and outputs. The command and the parameters are
left to `blocks`.
"""

from __future__ import annotations

import re

from exprun.lockfile.blocks import read_mapping
from exprun.lockfile.emit import NotSimple, emit_mapping
from exprun.model.lock import Content, LockedPath, LockedStage, Oid

_ITEM_PATTERN = r"""
    \ {4}-\ path:\ (?!(?:[Tt]rue|TRUE|[Ff]alse|FALSE|[Nn]ull|NULL)\n)
        ((?:[A-Za-z_/]|\.\.?/)[A-Za-z0-9_./@+=,-]{0,60})\n
    \ {6}hash:\ md5\n
    \ {6}md5:\ (?=[0-9a-f]*[acdf])([0-9a-f]{32}(?:\.dir)?)\n
    \ {6}size:\ (0|[1-9][0-9]*)\n
    (?:\ {6}nfiles:\ (0|[1-9][0-9]*)\n)?
    (?:\ {6}isexec:\ (true)\n)?
"""
_ITEM = re.compile(_ITEM_PATTERN, re.VERBOSE)
_ITEMS = re.sub(r"\((?!\?)", "(?:", _ITEM_PATTERN)
_ENTRY = re.compile(
    rf"""
    (\ {{4}}cmd:\ [^\n]*\n(?:\ {{6}}[^\n]*\n)*)
    (?:\ {{4}}deps:\n((?:{_ITEMS})+))?
    (\ {{4}}params:\n(?:\ {{6}}[^\n]*\n)+)?
    (?:\ {{4}}outs:\n((?:{_ITEMS})+))?
    """,
    re.VERBOSE,
)


def read_entry(text: str) -> LockedStage | None:
    """The entry whose lines are `text`, None where it is not of this layout."""
    match = _ENTRY.fullmatch(text)
    if match is None:
        return None
    command, deps, params, outs = match.groups()
    try:
        cmd = read_mapping(command, 4)["cmd"]
        files = read_mapping(params, 4)["params"] if params else {}
    except NotSimple:
        return None
    if not isinstance(cmd, str) or not _is_params(files):
        return None
    return LockedStage(cmd=cmd, deps=_read_items(deps), params=files, outs=_read_items(outs))


def is_written_so(text: str, locked: LockedStage) -> bool:
    """Whether DVC leaves an entry that was read from `text` exactly as it is."""
    match = _ENTRY.fullmatch(text)
    if match is None:
        return False
    command, _, params, _ = match.groups()
    data: dict[str, object] = {"cmd": locked.cmd}
    if params:
        data["params"] = locked.params
    try:
        return emit_mapping(data, 4, stable=True) == command + (params or "")
    except NotSimple:
        return False


def _is_params(files: object) -> bool:
    return isinstance(files, dict) and all(isinstance(values, dict) for values in files.values())


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
