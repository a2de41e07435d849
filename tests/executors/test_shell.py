"""Argument vectors and environments, compared with what DVC builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dvc.env import DVC_ROOT
from dvc.stage import run as dvc_run
from dvc.utils import fix_env
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.executors.shell import ask_fish_version, build_commands, build_env, split_cmd

if TYPE_CHECKING:
    from pathlib import Path

PYENV = {"PYENV_DIR": "/w", "PYENV_HOOK_PATH": "/h", "PYENV_VERSION": "3.11", "PYENV_ROOT": "/py"}


@pytest.mark.parametrize(
    "shell", ["/bin/sh", "/bin/dash", "/usr/bin/bash", "/opt/BASH", "zsh", "/bin/ksh", "bash5"]
)
def test_each_shell_gets_the_flags_dvc_gives(shell: str) -> None:
    (command,) = build_commands("echo $A", shell=shell)
    assert list(command.argv) == dvc_run._make_cmd(shell, "echo $A")
    assert command.display == "echo $A"


@pytest.mark.parametrize("version", ["fish, version 3.3.0", "fish, version 4.0.1-b2", "3.2.2", ""])
def test_fish_skips_its_configuration_if_it_can(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        dvc_run.subprocess, "check_output", lambda *_, **__: version.replace("-b2", "")
    )
    dvc_run._fish_supports_no_config.cache_clear()
    (command,) = build_commands("x", shell="/usr/bin/fish", fish_version=version + "\n")
    assert list(command.argv) == dvc_run._make_cmd("/usr/bin/fish", "x")


def test_fish_is_asked_for_its_version(tmp_path: Path) -> None:
    fish = tmp_path / "fish"
    assert ask_fish_version({"SHELL": str(fish)}) is None, "it is not there"
    fish.write_text('#!/bin/sh\necho "fish, version 3.6.0"\n')
    fish.chmod(0o755)
    assert ask_fish_version({"SHELL": str(fish)}) == "fish, version 3.6.0\n"
    fish.write_text("#!/bin/sh\nexit 1\n")
    assert ask_fish_version({"SHELL": str(fish)}) is None
    assert ask_fish_version({"SHELL": "/bin/sh"}) is ask_fish_version({}) is None


@pytest.mark.parametrize("shell", ["", None])
def test_without_a_shell_it_is_sh(shell: str | None) -> None:
    (command,) = build_commands("x", shell=shell)
    assert command.argv == ("/bin/sh", "-c", "x")


@given(st.text("a \t\n\r\v\f\x1c\x85\u2028é\\", min_size=1))
@settings(max_examples=50, deadline=None)
def test_a_string_is_split_as_dvc_splits_it(text: str) -> None:
    assert list(split_cmd(text)) == dvc_run._enforce_cmd_list(text)


def test_a_list_is_not_split_and_nothing_is_nothing() -> None:
    assert split_cmd(("a\nb", "")) == ("a\nb", "")
    assert split_cmd("a\n\nb\n") == ("a", "", "b")
    assert split_cmd("") == split_cmd(None) == ()


@pytest.mark.parametrize("pyenv", [PYENV, {**PYENV, "PYENV_DIR": ""}, {}])
@pytest.mark.parametrize(
    "path",
    [
        "/py/versions/3/bin:/py/libexec:/py/plugins/a/bin:/py/plugins/b/bin:/usr/bin:/bin",
        "/py/versions/3/bin:/py/libexec:/usr/bin",
        "/a:/py/libexec",
        "/usr/bin:/bin:/sbin",
        "/libexec:/a:/b",
        "",
    ],
)
def test_path_is_what_dvc_makes_of_it(path: str, pyenv: dict[str, str]) -> None:
    base = {"PATH": path, **pyenv}
    env = build_env(base, root="/r", stage="s")
    assert env == {**fix_env(base), DVC_ROOT: "/r", "DVC_STAGE": "s"}


def test_a_path_of_plugins_only_does_not_crash() -> None:
    base = {"PATH": "/v:/py/libexec:/py/plugins/a", **PYENV}
    assert build_env(base, root="/r", stage="s")["PATH"] == ""


def test_an_experiment_names_itself_and_the_original_root() -> None:
    base = {"DVC_ROOT": "/inherited", "DVC_STAGE": "outer"}
    plain = build_env(base, root="/r", stage="s")
    assert plain == {"DVC_ROOT": "/inherited", "DVC_STAGE": "s"}
    extra = {"DVC_STUDIO_URL": "u"}
    env = build_env(base, root="/r", stage="s", experiment=("tt", "6cc2"), extra=extra)
    assert env == {
        "DVC_ROOT": "/r",
        "DVC_STAGE": "s",
        "DVC_EXP_NAME": "tt",
        "DVC_EXP_BASELINE_REV": "6cc2",
        "DVC_STUDIO_URL": "u",
    }
