"""Work that is done once: who leads it, and who waits for what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.scheduler.vocabulary import StageState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.scheduler.stages import Stage


class Flights:
    """By the name of the work, the stages that need it: its leader, then those that follow."""

    def __init__(self) -> None:
        self._members: dict[str, list[Stage]] = {}

    def join(self, stage: Stage, work: str) -> bool:
        """Let a stage take part; whether it follows another one that leads."""
        stage.flight = work
        members = self._members.setdefault(work, [])
        members.append(stage)
        return len(members) > 1

    def followers(self, leader: Stage) -> Sequence[Stage]:
        """Those that wait for what comes of a stage's work."""
        return self._members[leader.flight][1:] if leader.flight is not None else ()

    def leave(self, stage: Stage) -> tuple[Sequence[Stage], Stage | None]:
        """Take a stage out that has ended: those to be checked again, and who leads from now on.

        When the work is done all others are checked again; when its leader has failed, one of the
        others is to do it.
        """
        work, stage.flight = stage.flight, None
        if work is None:
            return (), None
        members = self._members[work]
        led = members[0] is stage
        members.remove(stage)
        if members and not (led and stage.state is StageState.SUCCEEDED):
            return (), members[0] if led else None
        del self._members[work]
        for follower in members:
            follower.flight = None
        return members, None
