"""DVC's configuration files: finding, joining and checking what they say.

A later level wins option by option: system, global (the user's), project, and local, which Git
ignores. Relative paths are meant from the directory of the file that holds them, whichever
directory an experiment runs in.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from exprun.content import only_files
from exprun.errors import ConfigError
from exprun.model.values import dataclass
from exprun.project.config_schema import (
    FEATURES,
    NAMED_SECTIONS,
    PATH_OPTIONS,
    REMOTE_COMMON,
    REMOTES,
    SECTIONS,
)
from exprun.project.ini import Entry, Section, parse_ini

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exprun.project.config_schema import Check
    from exprun.project.ini import SectionPath


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPlaces:
    """Where the levels outside the project are, and what ``~`` stands for. Any may be absent."""

    system_dir: str | None = None
    global_dir: str | None = None
    home: str | None = None


def config_places(environ: Mapping[str, str], *, platform: str) -> ConfigPlaces:
    """Where DVC looks for configuration in this environment; `platform` as ``sys.platform``."""
    if platform == "darwin":
        system = "/Library/Application Support/dvc"
    else:
        shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)[0]
        system = os.path.join(shared, "dvc")
    user = user_config_dir(environ, "dvc", platform=platform)
    return ConfigPlaces(
        system_dir=environ.get("DVC_SYSTEM_CONFIG_DIR") or system,
        global_dir=environ.get("DVC_GLOBAL_CONFIG_DIR") or user,
        home=environ.get("HOME") or None,
    )


def user_config_dir(environ: Mapping[str, str], program: str, *, platform: str) -> str | None:
    """Where the user's own settings of `program` are, None if nothing says so.

    As `platformdirs`, which takes longer to import than `exprun status` to run.
    """
    home = environ.get("HOME") or None
    if platform == "darwin":
        return os.path.join(home, "Library/Application Support", program) if home else None
    config = environ.get("XDG_CONFIG_HOME") or (os.path.join(home, ".config") if home else None)
    return os.path.join(config, program) if config else None


def read_levels(dvc_dir: str, places: ConfigPlaces) -> dict[SectionPath, Section]:
    """What all levels together set, unchecked; sections are named ``("core",)``, ``("db", "x")``.

    Raises ConfigError for a file that cannot be read.
    """
    merged: dict[SectionPath, Section] = {}
    for path in config_files(dvc_dir, places):
        for name, section in _read_file(path, places.home).items():
            target = merged.setdefault(name, Section(section.where, {}))
            target.entries.update(section.entries)
    if not merged.get((), Section("", {})).entries:
        merged.pop((), None)
    _check_hydra(merged)
    return merged


def config_files(dvc_dir: str, places: ConfigPlaces) -> Iterator[str]:
    """The files of all levels, each going before those ahead of it. Any may be absent."""
    for directory in (places.system_dir, places.global_dir, dvc_dir):
        if directory:
            yield os.path.join(directory, "config")
    yield os.path.join(dvc_dir, "config.local")


def _read_file(path: str, home: str | None) -> dict[SectionPath, Section]:
    try:
        with open(path, encoding="utf-8", opener=only_files) as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot be read: {error}", where=path) from error
    sections: dict[SectionPath, Section] = {}
    for spelled, section in parse_ini(text, file=path).items():
        name = _section_name(spelled)
        target = sections.setdefault(name, Section(section.where, {}))
        for key, entry in section.entries.items():
            target.entries[key.lower()] = _resolve(name, key.lower(), entry, path, home)
    return sections


def _section_name(path: SectionPath) -> SectionPath:
    """``remote "x"`` as ``("remote", "x")``, in lower case like all names."""
    if len(path) != 1:
        return tuple(name.lower() for name in path)
    name = path[0].lower().strip()
    for kind in ("remote", "machine", "db"):
        rest = name.removeprefix(kind).lstrip()
        if name.startswith(kind) and len(rest) > 1 and rest[0] == rest[-1] == '"':
            return kind, rest[1:-1]
    return (path[0].lower(),)


def _resolve(name: SectionPath, key: str, entry: Entry, file: str, home: str | None) -> Entry:
    if not name or key not in PATH_OPTIONS.get(name[0], ()) or not isinstance(entry.value, str):
        return entry
    return Entry(_resolve_path(entry.value, os.path.dirname(file), home), entry.where)


def _resolve_path(path: str, directory: str, home: str | None) -> str:
    scheme, separator, _ = path.partition("://")
    if separator and scheme and all(char.isalnum() or char == "_" for char in scheme):
        return path
    if path == "~" or path.startswith("~/"):
        path = (home or "~") + path[1:]
    elif path.startswith("~"):
        path = os.path.expanduser(path)
    if os.path.isabs(path):
        return path
    return os.path.normpath(os.path.join(os.path.abspath(directory), path))


def check_section(name: SectionPath, section: Section) -> Mapping[str, object]:
    """The typed values of `section`. Raises ConfigError for an unknown option or a bad value."""
    if not name:
        first = next(iter(section.entries))
        raise ConfigError(
            f"'{first}' is set outside of a section", where=section.entries[first].where
        )
    known = _known_options(name, section)
    if known is None:
        return {key: entry.value for key, entry in section.entries.items()}
    values: dict[str, object] = {}
    for key, entry in section.entries.items():
        if key in known:
            values[key] = _check_value(name, key, entry, known[key])
        elif name != ("feature",):
            raise _unknown(f"option '{_dotted(name)}.{key}'", key, known, entry.where)
    return values


def _known_options(name: SectionPath, section: Section) -> Mapping[str, Check] | None:
    """The options that `section` may have; None if it may have any."""
    if name == ("feature",):
        return FEATURES
    if len(name) == 1 and name[0] in SECTIONS:
        return SECTIONS[name[0]]
    if len(name) == 2 and name[0] in NAMED_SECTIONS:
        return NAMED_SECTIONS[name[0]]
    if len(name) == 2 and name[0] == "remote":
        return _remote_options(name[1], section)
    if name in (("remote",), ("machine",), ("db",)) and not section.entries:
        return {}
    raise _unknown(f"section [{_dotted(name)}]", name[0], SECTIONS, section.where)


def _remote_options(name: str, section: Section) -> Mapping[str, Check] | None:
    url = section.entries.get("url")
    if url is None:
        raise ConfigError(
            f"remote '{name}' has no url",
            where=section.where,
            hint=f"set one: dvc remote modify {shlex.quote(name)} url <url>",
        )
    if not isinstance(url.value, str):
        raise ConfigError(f"'remote.{name}.url' is a list", where=url.where, hint="quote the URL")
    scheme = url_scheme(url.value)
    if scheme not in REMOTES:
        raise ConfigError(f"remote '{name}' has an unknown URL type {scheme}://", where=url.where)
    options = REMOTES[scheme]
    return None if options is None else {**options, **REMOTE_COMMON}


def url_scheme(url: str) -> str:
    """The scheme of `url`, empty for a path; a URL without a host is a path to DVC."""
    scheme, separator, rest = url.partition("://")
    return scheme.lower() if separator and rest[:1] not in ("", "/", "?", "#") else ""


def _check_value(name: SectionPath, key: str, entry: Entry, check: Check) -> object:
    try:
        return check(entry.value)
    except ValueError as error:
        shown = f" = {entry.value!r}" if key not in _SECRETS and "password" not in key else ""
        raise ConfigError(f"'{_dotted(name)}.{key}'{shown}: {error}", where=entry.where) from None


_SECRETS = frozenset(
    {"token", "secret_access_key", "session_token", "account_key", "client_secret", "passphrase"}
)


def _dotted(name: SectionPath) -> str:
    return ".".join(name)


def _unknown(what: str, name: str, known: Mapping[str, object], where: str) -> ConfigError:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else None
    return ConfigError(f"{what} is not known", where=where, hint=hint)


def _check_hydra(merged: Mapping[SectionPath, Section]) -> None:
    hydra = merged.get(("hydra",))
    if hydra and {"config_dir", "config_module"} <= hydra.entries.keys():
        raise ConfigError(
            "'hydra.config_dir' and 'hydra.config_module' exclude each other",
            where=hydra.entries["config_module"].where,
        )
