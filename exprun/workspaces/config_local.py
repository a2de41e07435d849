"""The ``.dvc/config.local`` of an isolated workspace, so that ``dvc`` works inside a stage.

Paths in DVC's configuration are relative to the file that holds them; the copy lies elsewhere, so
they are made absolute, and the cache is the user's. The INI dialect is ConfigObj's.
"""

from __future__ import annotations

import os
import re

from exprun.model.patterns import pattern

_SECTION = pattern(r"""\s*\[\s*(['"]?)(.*?)\1\s*\]\s*(?:#.*)?$""")
_OPTION = pattern(r"""\s*([^=#\s][^=]*?)\s*=\s*(.*?)\s*$""")
_SCHEME = pattern(r"[A-Za-z][A-Za-z0-9+.-]*://|~|/")
_PATH_OPTIONS = {
    "remote": ("url", "credentialpath", "keyfile", "cert_path", "key_path"),
    "cache": ("dir",),
}


def isolated_config(local: str, shared: str, *, directory: str, cache_dir: str) -> str:
    """The text for the copy.

    `local` and `shared` are the user's ``config.local`` and ``config`` in `directory`. What the
    shared file says stays in the copy of the tree; only its relative paths are overridden here.
    """
    lines = _absolute_lines(local, directory, keep_all=True)
    lines = _absolute_lines(shared, directory, keep_all=False) + lines
    lines += ["[cache]", f"    dir = {_quote(cache_dir)}"]
    return _join_sections(lines)


def _absolute_lines(text: str, directory: str, *, keep_all: bool) -> list[str]:
    """The lines with relative paths made absolute; only those, unless `keep_all`."""
    lines = []
    section = ""
    for line in text.splitlines():
        if match := _SECTION.match(line):
            section = match[2].split(" ")[0].lower()
            lines.append(line.strip())
        elif (match := _OPTION.match(line)) and not line.lstrip().startswith("#"):
            key, value = match[1], _unquote(match[2])
            if key.lower() not in _PATH_OPTIONS.get(section, ()):
                lines += [line] if keep_all else []
            elif not _SCHEME.match(value):
                path = os.path.normpath(os.path.join(directory, value))
                lines.append(f"    {key} = {_quote(path)}")
            elif keep_all:
                lines.append(line)
    return lines


def _join_sections(lines: list[str]) -> str:
    """One section per name, for ConfigObj refuses a second; of two equal keys the later counts."""
    sections: dict[str, dict[str, str]] = {}
    section = ""
    for line in lines:
        if _SECTION.match(line):
            section = line
        elif match := _OPTION.match(line):
            sections.setdefault(section, {})[match[1].lower()] = line.strip()
    return "".join(
        f"{name}\n" + "".join(f"    {option}\n" for option in options.values())
        for name, options in sections.items()
    )


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return re.sub(r"\s+#.*$", "", value)


def _quote(value: str) -> str:
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}"
