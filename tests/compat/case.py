"""One project, what is done to it, and where exprun may differ on purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.project import Action, git, init_dvc

if TYPE_CHECKING:
    from collections.abc import Mapping

Actions = tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`start` is built with DVC; `steps` are played by the tool under test.

    `differs` names parts of the record (`tests/compat/deviations.py` lists them) in which exprun
    is allowed another result than DVC, each with the reason.
    """

    name: str
    start: Actions
    steps: Actions
    differs: Mapping[str, str] = field(default_factory=dict)


def flat(*parts: Action | Actions) -> Actions:
    """Actions and groups of actions as one group."""
    actions: list[Action] = []
    for part in parts:
        if isinstance(part, tuple):
            actions.extend(part)
        else:
            actions.append(part)
    return tuple(actions)


def case(
    name: str,
    *start: Action | Actions,
    steps: Actions | Action,
    differs: Mapping[str, str] | None = None,
    bare: bool = False,
) -> Case:
    """A case in a new Git and DVC project; `bare` leaves out both."""
    begin = () if bare else (git("init", "--quiet", "-b", "main"), *init_dvc())
    return Case(
        name=name, start=flat(*begin, *start), steps=flat(steps), differs=dict(differs or {})
    )
