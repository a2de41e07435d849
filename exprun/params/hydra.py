"""Hydra composition: the params.yaml that a tree of configuration files and overrides make.

Hydra reads the configuration itself, so this is the one module of the room that touches files, and
with plugins or a configuration module it imports code of the project. Importing this module is
cheap; composing imports Hydra.
"""

from __future__ import annotations

import copy
import importlib
import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from exprun.errors import ConfigError, ParamsError, UsageError
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence
    from contextlib import AbstractContextManager

    from exprun.errors import ExprunError
    from exprun.params.overrides import Override

# Hydra keeps the composition under way in the process: one at a time.
_composing = threading.Lock()

_PLUGINS = "hydra_plugins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Where the configuration is: in a directory or else in a Python module.

    `directory` is absolute, and so is `plugins`, which may hold a package ``hydra_plugins``.
    `config` is the name of the top configuration, without ``.yaml``.
    """

    directory: str | None = None
    module: str | None = None
    config: str = "config"
    plugins: str | None = None

    @property
    def place(self) -> str:
        """The configuration as messages name it."""
        return f"{self.directory or self.module}/{self.config}"


def composition(settings: Mapping[str, object], *, root: str) -> Composition | None:
    """What the section ``hydra`` of DVC's configuration asks for; ``None`` if it is not enabled.

    `settings` has the values as DVC's schema leaves them, and `root` is the project's absolute
    root. Raises ConfigError if both a directory and a module are named.
    """
    if not settings.get("enabled", False):
        return None
    module = settings.get("config_module")
    if module is not None and "config_dir" in settings:
        raise ConfigError(
            "hydra.config_dir and hydra.config_module are mutually exclusive",
            hint="remove one of them from the configuration",
        )
    directory = os.path.join(root, str(settings.get("config_dir", "conf")))
    return Composition(
        directory=None if module is not None else directory,
        module=None if module is None else str(module),
        config=str(settings.get("config_name", "config")),
        plugins=os.path.join(root, str(settings.get("plugins_path", ""))),
    )


def compose(where: Composition, overrides: Sequence[Override]) -> bytes:
    """The composed configuration with everything resolved: the new content of params.yaml.

    Safe to call from several threads, and leaves Hydra's global state as it was. Raises UsageError
    for overrides with which the configuration does not compose, ParamsError if it never does.
    """
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    with _composing, _hydra_state(), _project_plugins(where.plugins):
        try:
            with _initialized(where):
                config = hydra_compose(where.config, overrides=[one.text for one in overrides])
            OmegaConf.resolve(config)
            return str(OmegaConf.to_yaml(config)).encode()
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{mark.name}:{mark.line + 1}" if mark else where.place
            raise ParamsError(f"invalid YAML: {_first_line(error)}", where=place) from error
        except (HydraException, OmegaConfBaseException, *_MISFITS) as error:
            raise _failure(error, where, overrides) from error


# What bad configuration files raise from below Hydra: names, types and encodings gone wrong.
_MISFITS = (
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


def _initialized(where: Composition) -> AbstractContextManager[None]:
    from hydra import initialize_config_dir, initialize_config_module

    initialize = initialize_config_dir if where.directory else initialize_config_module
    manager: AbstractContextManager[None] = initialize(
        where.directory or where.module, version_base=None
    )
    return manager


@contextmanager
def _hydra_state() -> Iterator[None]:
    """Put back what Hydra keeps in the process: the composition, and its resolvers."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.singleton import Singleton
    from hydra.core.utils import JobRuntime
    from hydra.version import VersionBase
    from omegaconf.basecontainer import BaseContainer

    state = (GlobalHydra, HydraConfig, JobRuntime, VersionBase)
    resolvers = dict(BaseContainer._resolvers)
    try:
        with _set_aside(Singleton._instances, state):
            yield
    finally:
        BaseContainer._resolvers = resolvers


@contextmanager
def _project_plugins(path: str | None) -> Iterator[None]:
    """Let Hydra find the plugins of this project, and forget them again.

    Hydra looks for plugins once per process, which is enough unless the project brings its own.
    """
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins
    from hydra.core.singleton import Singleton

    if path is None or not os.path.isdir(os.path.join(path, _PLUGINS)):
        Plugins.instance()
        yield
        return
    store = ConfigStore.instance()
    configs = store.repo
    loaded = [name for name in sys.modules if name.partition(".")[0] == _PLUGINS]
    with (
        _set_aside(Singleton._instances, (Plugins, SourcesRegistry)),
        _set_aside(sys.modules, loaded),
    ):
        store.repo = copy.deepcopy(configs)
        try:
            with _importable(path):
                Plugins.instance()
            yield
        finally:
            store.repo = configs
            for name in [name for name in sys.modules if name.partition(".")[0] == _PLUGINS]:
                del sys.modules[name]


@contextmanager
def _importable(path: str) -> Iterator[None]:
    importlib.invalidate_caches()
    sys.path.append(path)
    try:
        yield
    finally:
        sys.path.remove(path)


@contextmanager
def _set_aside(table: MutableMapping[Any, Any], keys: Sequence[Any]) -> Iterator[None]:
    """Take the `keys` out of `table`, and give them their values back in the end."""
    kept = {key: table.pop(key) for key in keys if key in table}
    try:
        yield
    finally:
        for key in keys:
            table.pop(key, None)
        table.update(kept)


def _failure(
    error: BaseException, where: Composition, overrides: Sequence[Override]
) -> ExprunError:
    if overrides:
        texts = "".join(f"\n  {one.text}" for one in overrides)
        return UsageError(f"Invalid `--set-param` value: {_first_line(error)}{texts}")
    return ParamsError(
        f"the configuration does not compose: {_first_line(error)}", where=where.place
    )


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
