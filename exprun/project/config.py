"""DVC's configuration, joined from the files of four levels, checked and typed."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, cast

from exprun.errors import ConfigError
from exprun.model.values import dataclass, field
from exprun.project.config_files import ConfigPlaces, check_section, read_levels, url_scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.project.ini import Section, SectionPath

_DEFAULT_LINKS = ("reflink", "copy")


_Bools = Literal["store_true", "boolean_optional"]
_Lists = Literal["nargs", "append"]


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    remote: str | None = None
    autostage: bool = False
    no_scm: bool = False
    interactive: bool = False
    checksum_jobs: int | None = None
    hardlink_lock: bool = False
    site_cache_dir: str | None = None
    analytics: bool = True
    check_update: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """`dir` is absolute. `type` lists link types, the preferred one first."""

    dir: str
    type: tuple[str, ...] = _DEFAULT_LINKS
    shared: str | None = None
    verify: bool = False
    slow_link_warning: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A remote as configured. `url` is a URL or an absolute path; `options` holds all the rest.

    ``remote://name/path`` refers to another remote.
    """

    name: str
    url: str
    where: str = field(compare=False)
    options: Mapping[str, object] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exp:
    auto_push: bool = False
    git_remote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hydra:
    enabled: bool = False
    config_dir: str | None = None
    config_module: str | None = None
    config_name: str = "config"
    plugins_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsing:
    """How a map in a command becomes options."""

    bool: _Bools = "store_true"
    list: _Lists = "nargs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    token: str | None = field(default=None, repr=False)
    url: str | None = None
    repo_url: str | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All of it.

    `options` has every option that some file sets, typed, by section (``("core",)`` or
    ``("remote", name)``) and key.
    """

    core: Core
    cache: Cache
    remotes: Mapping[str, Remote]
    exp: Exp
    hydra: Hydra
    parsing: Parsing
    studio: Studio
    options: Mapping[SectionPath, Mapping[str, object]] = field(repr=False)


def load_config(dvc_dir: str, places: ConfigPlaces | None = None) -> Config:
    """The configuration of the project whose ``.dvc`` directory is `dvc_dir`.

    Raises ConfigError, with the line at fault, for anything that DVC refuses.
    """
    merged = read_levels(dvc_dir, places or ConfigPlaces())
    options = {name: check_section(name, section) for name, section in merged.items()}
    return _typed(options, merged, dvc_dir)


class _Options:
    """The typed options of one section, narrowed for mypy."""

    def __init__(self, values: Mapping[str, object] | None) -> None:
        self._values = values or {}

    def flag(self, key: str, *, default: bool = False) -> bool:
        return bool(self._values.get(key, default))

    def text(self, key: str) -> str | None:
        value = self._values.get(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        value = self._values.get(key)
        return value if isinstance(value, int) else None

    def names(self, key: str) -> tuple[str, ...] | None:
        value = self._values.get(key)
        return value if isinstance(value, tuple) else None

    def without(self, *keys: str) -> Mapping[str, object]:
        return MappingProxyType({k: v for k, v in self._values.items() if k not in keys})


def _typed(
    options: Mapping[SectionPath, Mapping[str, object]],
    sections: Mapping[SectionPath, Section],
    dvc_dir: str,
) -> Config:
    core, exp, hydra, parsing, studio = (
        _Options(options.get((name,))) for name in ("core", "exp", "hydra", "parsing", "studio")
    )
    return Config(
        core=Core(
            remote=core.text("remote"),
            autostage=core.flag("autostage"),
            no_scm=core.flag("no_scm"),
            interactive=core.flag("interactive"),
            checksum_jobs=core.integer("checksum_jobs"),
            hardlink_lock=core.flag("hardlink_lock"),
            site_cache_dir=core.text("site_cache_dir"),
            analytics=core.flag("analytics", default=True),
            check_update=core.flag("check_update", default=True),
        ),
        cache=_cache(options, sections, os.path.join(os.path.abspath(dvc_dir), "cache")),
        remotes=MappingProxyType(
            {
                name[1]: _remote(name[1], _Options(values), sections[name].entries["url"].where)
                for name, values in options.items()
                if len(name) == 2 and name[0] == "remote"
            }
        ),
        exp=Exp(auto_push=exp.flag("auto_push"), git_remote=exp.text("git_remote")),
        hydra=Hydra(
            enabled=hydra.flag("enabled"),
            config_dir=hydra.text("config_dir"),
            config_module=hydra.text("config_module"),
            config_name=hydra.text("config_name") or "config",
            plugins_path=hydra.text("plugins_path"),
        ),
        parsing=Parsing(
            bool=cast("_Bools", parsing.text("bool") or "store_true"),
            list=cast("_Lists", parsing.text("list") or "nargs"),
        ),
        studio=Studio(
            token=studio.text("token"),
            url=studio.text("url"),
            repo_url=studio.text("repo_url"),
            offline=studio.flag("offline"),
        ),
        options=MappingProxyType(dict(options)),
    )


def _cache(
    options: Mapping[SectionPath, Mapping[str, object]],
    sections: Mapping[SectionPath, Section],
    default_dir: str,
) -> Cache:
    cache = _Options(options.get(("cache",)))
    directory = cache.text("dir") or default_dir
    if name := cache.text("local"):
        # The spelling of old: a remote says where the cache is, and all else about it.
        where = sections["cache",].entries["local"].where
        found = options.get(("remote", name.lower()))
        if found is None:
            raise ConfigError(f"remote '{name}' is not configured", where=where)
        cache = _Options(found)
        directory = cache.text("url") or ""
        if url_scheme(directory):
            raise ConfigError(f"remote '{name}' is no directory to keep the cache in", where=where)
    return Cache(
        dir=directory,
        type=cache.names("type") or _DEFAULT_LINKS,
        shared=cache.text("shared"),
        verify=cache.flag("verify"),
        slow_link_warning=cache.flag("slow_link_warning", default=True),
    )


def _remote(name: str, options: _Options, where: str) -> Remote:
    return Remote(
        name=name, url=options.text("url") or "", where=where, options=options.without("url")
    )
