"""Names of experiments: which are allowed, and random ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import UsageError
from exprun.git.words import ADJECTIVES, NOUNS
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

MAX_BYTES = 200

_FORBIDDEN = pattern(r"[\000-\040\177~^:?*\[\\/]|\.\.|@\{")
_FULL_SHA = pattern(r"[0-9a-fA-F]{40}")


def is_ref_component(name: str) -> bool:
    """Whether `name` may be one component of a ref, by the rules of ``git check-ref-format``."""
    return bool(name) and not (
        _FORBIDDEN.search(name) or name.startswith(".") or name.endswith((".", ".lock"))
    )


def check_name(name: str) -> str:
    """`name` itself, if an experiment may have it.

    DVC's rules (a ref component without ``/``) and a few of our own: no name that an option, HEAD
    or a commit could be mistaken for, and none too long for a file system. Raises UsageError.
    """
    if not is_ref_component(name):
        raise UsageError(
            f"invalid exp name {name}, the exp name must follow rules in "
            "https://git-scm.com/docs/git-check-ref-format"
        )
    if reason := _confusing(name):
        raise UsageError(f"invalid exp name {name}, {reason}")
    return name


def _confusing(name: str) -> str | None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is not valid text"
    if size > MAX_BYTES:
        return f"it is longer than {MAX_BYTES} bytes"
    if name.startswith("-"):
        return "it looks like an option"
    if name in ("HEAD", "@"):
        return "it already means the current commit"
    if _FULL_SHA.fullmatch(name):
        return "it looks like a commit"
    return None


def random_name(is_taken: Callable[[str], bool], random: Random | None = None) -> str:
    """An ``adjective-noun`` that is not taken yet, drawn by the system's generator or `random`.

    Should the words run out, a number makes the name unique.
    """
    from random import SystemRandom  # Not cheap at start-up.

    random = random or SystemRandom()
    for _ in range(1000):
        name = f"{random.choice(ADJECTIVES)}-{random.choice(NOUNS)}"
        if not is_taken(name):
            return name
    number = 2
    while is_taken(f"{name}-{number}"):
        number += 1
    return f"{name}-{number}"
