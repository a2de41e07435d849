"""From a stage's cmd to argument vectors and an environment, as DVC builds them."""

from __future__ import annotations

import posixpath
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from exprun.cores import on_all
from exprun.model.job import Command
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SHELL = "/bin/sh"
_PATIENCE_S = 5.0

_FLAGS = {"bash": ("--noprofile", "--norc"), "zsh": ("--no-rcs",)}
_FISH_VERSION = pattern(r"(\d+)\.(\d+)\S*\s*\Z")
_PYENV = ("PYENV_DIR", "PYENV_HOOK_PATH", "PYENV_VERSION", "PYENV_ROOT")


def split_cmd(cmd: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """The command texts of a stage: one per line of a string, blank lines too; or one per item."""
    if cmd is None:
        return ()
    return tuple(cmd.splitlines()) if isinstance(cmd, str) else cmd


def build_commands(
    cmd: str | tuple[str, ...] | None, *, shell: str | None, fish_version: str | None = None
) -> tuple[Command, ...]:
    """The processes that run `cmd` under `shell`, the caller's ``SHELL``.

    `fish_version` is what ``fish --version`` prints; without it, fish reads its configuration.
    """
    executable = shell or DEFAULT_SHELL
    name = posixpath.basename(executable).lower()
    flags = _fish_flags(fish_version) if _is_fish(executable) else _FLAGS.get(name, ())
    return tuple(
        Command(argv=(executable, *flags, "-c", text), display=text) for text in split_cmd(cmd)
    )


def ask_fish_version(env: Mapping[str, str]) -> str | None:
    """What the ``SHELL`` of `env` says of its version; None if it is not fish, or does not say."""
    shell = env.get("SHELL", "")
    if not _is_fish(shell):
        return None
    asked = [shell, "--version"]
    with suppress(OSError, subprocess.SubprocessError), on_all():
        return subprocess.run(
            asked, env=env, capture_output=True, text=True, check=True, timeout=_PATIENCE_S
        ).stdout
    return None


def _is_fish(shell: str) -> bool:
    return posixpath.basename(shell).lower() == "fish"


def _fish_flags(version: str | None) -> tuple[str, ...]:
    found = _FISH_VERSION.search(version or "")
    if found and (int(found[1]), int(found[2])) >= (3, 3):
        return ("--no-config",)
    return ()


def build_env(
    base: Mapping[str, str],
    *,
    root: str,
    stage: str,
    experiment: tuple[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment of a stage's commands: `base`, the caller's, and what DVC adds.

    `stage` is the address as displayed; `experiment` the name and the baseline's revision, outside
    of which an inherited ``DVC_ROOT`` stays. `extra` wins over all but ``DVC_STAGE``.
    """
    env = dict(base)
    env["PATH"] = _without_pyenv(base)
    if "PATH" not in base and not env["PATH"]:
        del env["PATH"]
    if experiment is not None:
        env["DVC_EXP_NAME"], env["DVC_EXP_BASELINE_REV"] = experiment
        env["DVC_ROOT"] = root
    env.update(extra or {})
    env.setdefault("DVC_ROOT", root)
    env["DVC_STAGE"] = stage
    return env


def _without_pyenv(env: Mapping[str, str]) -> str:
    """PATH without what pyenv's shim put before it, recognised as DVC recognises it.

    The shim prepends the bin directory of the version, its own libexec, and those of its plugins.
    """
    path = env.get("PATH", "")
    entries = path.split(":")
    if len(entries) <= 2 or posixpath.basename(entries[1]) != "libexec":
        return path
    if not all(env.get(key) for key in _PYENV):
        return path
    entries = entries[2:]
    plugins = posixpath.join(env["PYENV_ROOT"], "plugins")
    while entries and entries[0].startswith(plugins):
        del entries[0]
    return ":".join(entries)
