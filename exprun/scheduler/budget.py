"""What may be in use at once: job slots, CPUs, GPUs by id, memory, and named mutexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.model.quantities import format_size
from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from exprun.scheduler.vocabulary import Needs

_TRIFLE = 1e-6
"""Less than any part of a CPU that somebody asks for, and more than sums of such are off by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that stages may hold together; None is without limit. `mem` is in bytes."""

    jobs: int
    cpus: float | None = None
    gpus: tuple[str, ...] = ()
    mem: int | None = None


@dataclass(slots=True)
class Budget:
    """Keeps account of what running stages hold.

    At most `most_jobs` run at a time: fewer than the limit, if the machine has room for less.
    """

    limits: Limits
    most_jobs: int = field(init=False)
    _calm: int = 0
    jobs: int = 0
    cpus: float = 0.0
    mem: int = 0
    free_gpus: list[str] = field(init=False)
    mutexes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.free_gpus = list(self.limits.gpus)
        self.most_jobs = self.limits.jobs

    @property
    def free_jobs(self) -> int:
        return self.most_jobs - self.jobs

    def narrow(self) -> None:
        """Let no more run than do now: the machine had no room for one more."""
        self.most_jobs = max(1, self.jobs)
        self._calm = 0

    def widen(self) -> None:
        """Take note that a stage was started; after many, one more may run at a time again."""
        self._calm += 1
        if self._calm >= self.most_jobs and self.most_jobs < self.limits.jobs:
            self.most_jobs += 1
            self._calm = 0

    def refusal(self, needs: Needs) -> str | None:
        """Why a stage with these needs could never run, however long it waited."""
        limits = self.limits
        if needs.gpus > len(limits.gpus):
            return f"it needs {_counted(needs.gpus, 'GPU')}, the budget has {len(limits.gpus)}"
        if limits.cpus is not None and needs.cpus > limits.cpus:
            return f"it needs {_counted(needs.cpus, 'CPU')}, the budget has {limits.cpus:g}"
        if limits.mem is not None and needs.mem > limits.mem:
            needed, there = format_size(needs.mem), format_size(limits.mem)
            return f"it needs {needed} of memory, the budget has {there}"
        return None

    def fits(self, needs: Needs) -> bool:
        """Whether a stage with these needs may start now."""
        limits = self.limits
        return (
            self.jobs < self.most_jobs
            and needs.gpus <= len(self.free_gpus)
            and (limits.cpus is None or self.cpus + needs.cpus <= limits.cpus + _TRIFLE)
            and (limits.mem is None or self.mem + needs.mem <= limits.mem)
            and self.mutexes.isdisjoint(needs.mutexes)
        )

    def take(self, needs: Needs) -> tuple[str, ...]:
        """Hold what a stage needs and return the ids of its GPUs."""
        self.jobs += 1
        self.cpus += needs.cpus
        self.mem += needs.mem
        self.mutexes.update(needs.mutexes)
        gpus = tuple(self.free_gpus[: needs.gpus])
        del self.free_gpus[: needs.gpus]
        return gpus

    def give_back(self, needs: Needs, gpus: tuple[str, ...]) -> None:
        """Release what `take` held."""
        self.jobs -= 1
        self.cpus -= needs.cpus
        self.mem -= needs.mem
        self.mutexes.difference_update(needs.mutexes)
        self.free_gpus.extend(gpus)


@dataclass(slots=True)
class Reserved:
    """What stages of lower priority may not take, lest a large stage waits for ever."""

    cpus: bool = False
    gpus: bool = False
    mem: bool = False
    mutexes: set[str] = field(default_factory=set)

    def add(self, needs: Needs) -> None:
        """Keep what a stage waits for from others."""
        self.cpus |= bool(needs.cpus)
        self.gpus |= bool(needs.gpus)
        self.mem |= bool(needs.mem)
        self.mutexes.update(needs.mutexes)

    def allow(self, needs: Needs) -> bool:
        """Whether a stage needs nothing that is reserved."""
        return not (
            (self.cpus and needs.cpus)
            or (self.gpus and needs.gpus)
            or (self.mem and needs.mem)
            or not self.mutexes.isdisjoint(needs.mutexes)
        )


def _counted(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"
