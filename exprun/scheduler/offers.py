"""The experiments that wait to be opened, in order."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Offers:
    """Experiments offered and not yet taken up. None is offered while `is_in_hand` says that it is:
    it comes back when it was let go.
    """

    def __init__(self, is_in_hand: Callable[[str], bool]) -> None:
        self._is_in_hand = is_in_hand
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._later: set[str] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, experiments: Iterable[str]) -> None:
        """Put experiments behind all others."""
        for experiment in experiments:
            if self._is_in_hand(experiment):
                self._later.add(experiment)
            else:
                self._waiting[experiment] = None

    def put_first(self, experiments: tuple[str, ...]) -> None:
        """Put those of `experiments` that wait before all others, in the order given."""
        for experiment in reversed(experiments):
            if experiment in self._waiting:
                self._waiting.move_to_end(experiment, last=False)

    def withdraw(self, experiment: str) -> None:
        """Do not open an experiment, nor once more if it is open."""
        self._waiting.pop(experiment, None)
        self._later.discard(experiment)

    def let_go(self, experiment: str) -> None:
        """Tell that an experiment is not in hand any more."""
        if experiment in self._later:
            self._later.remove(experiment)
            self._waiting[experiment] = None

    def take(self) -> str:
        """The next experiment, which is offered no more."""
        return self._waiting.popitem(last=False)[0]
