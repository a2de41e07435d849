"""Running the git command, for what only Git itself does right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.cores import on_all
from exprun.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# As ``git rev-parse --local-env-vars``: set inside a hook, they would name another repository.
_LOCAL = frozenset(
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR GIT_CONFIG GIT_DIR GIT_GRAFT_FILE "
    "GIT_IMPLICIT_WORK_TREE GIT_INDEX_FILE GIT_INTERNAL_SUPER_PREFIX GIT_NAMESPACE "
    "GIT_NO_REPLACE_OBJECTS GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_REPLACE_REF_BASE GIT_SHALLOW_FILE "
    "GIT_WORK_TREE GIT_LITERAL_PATHSPECS".split()
)


NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
"""Options of Git that keep the user's hooks from running."""


class GitNotFound(GitError):
    """There is no git command."""


def without_repository(env: Mapping[str, str]) -> dict[str, str]:
    """`env` for commands that are told by their directory alone which repository is meant."""
    return {name: value for name, value in env.items() if name not in _LOCAL}


def clean_environment(env: Mapping[str, str]) -> dict[str, str]:
    """`env` for a git command of ours."""
    quiet = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return without_repository(env) | quiet


def run_git(
    directory: str,
    env: Mapping[str, str],
    args: Sequence[str],
    stdin: bytes = b"",
    *,
    index_file: str | None = None,
) -> bytes:
    """What ``git <args>`` prints when run in `directory`, on an index of the caller's if given.

    Raises GitError with Git's reason.
    """
    import subprocess

    clean = clean_environment(env) | ({"GIT_INDEX_FILE": index_file} if index_file else {})

    try:
        with on_all():
            done = subprocess.run(
                ["git", *args], cwd=directory, env=clean, input=stdin,
                capture_output=True, check=False,
            )  # fmt: skip
    except FileNotFoundError as error:
        raise GitNotFound("there is no git command", hint="install git") from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise GitError(f"git {_command_of(args)} failed: {reason}")
    return done.stdout


def _command_of(args: Sequence[str]) -> str:
    """The command among its arguments, which options of Git itself may go before."""
    at = 0
    while args[at].startswith("-"):
        at += 2 if args[at] == "-c" else 1
    return args[at]
