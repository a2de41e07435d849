"""The isolated workspaces of a project, used one after the other by its experiments."""

from __future__ import annotations

import os
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING

from exprun.runner.announcing import forget_the_dead
from exprun.runner.failures import FAULTS
from exprun.workspaces.isolated import LOCATION, is_kept, open_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exprun.project.root import Place
    from exprun.store.cache import Store
    from exprun.workspaces.isolated import Slot


class SlotPool:
    """Hands out slots that no other process uses, those used last first. Thread-safe."""

    def __init__(self, place: Place, warn: Callable[[str], None]) -> None:
        self._place = place
        self._warn = warn
        # Git wants to know where its work tree really is.
        self._directory = os.path.join(os.path.realpath(place.tmp_dir), "exps", LOCATION)
        self._free: list[Slot] = []
        self._untried = self._all_names()
        self._lock = Lock()

    def take(self) -> Slot:
        """A slot, locked for this process; what it holds is left from its last use."""
        with self._lock:
            while self._free:
                free = self._free.pop()
                if free.is_there:
                    return free
                free.close()  # Somebody has removed it by hand.
            while True:
                slot = open_slot(os.path.join(self._directory, next(self._untried)))
                if slot is not None:
                    try:
                        # What a dead session said of this directory would be taken for ours.
                        forget_the_dead(self._place)
                    except BaseException:
                        slot.close()
                        raise
                    return slot

    def give_back(self, slot: Slot) -> None:
        """Let the next experiment have a slot."""
        with self._lock:
            self._free.append(slot)

    def close(self, store: Store) -> None:
        """Remove the workspaces that are not in use, those that dead processes left too.

        If data in them is links into the store, one is kept for later processes with what was left.
        What keeps them from being removed is told, and leaves them to the next who does this.
        """
        with self._lock:
            try:
                self._remove(keep=store.lends_to(self._directory))
            except FAULTS as fault:
                self._warn(f"workspaces in {self._directory} are not removed: {fault}")
            finally:
                for slot in self._free:
                    slot.close()
                self._free.clear()

    def _remove(self, *, keep: bool) -> None:
        self._forget_removed()
        for name in self._names():
            slot = open_slot(os.path.join(self._directory, name))
            if slot is not None:
                self._free.append(slot)
        self._free.sort(key=lambda slot: slot.number)
        for slot in self._free:
            if keep and _keep(slot):
                slot.close()
                keep = False
                continue
            for path in slot.remove():
                self._warn(f"{path} cannot be removed; it is not needed any more")

    def _all_names(self) -> Iterator[str]:
        """Those of kept workspaces first, whatever their numbers, then all others."""
        kept = [name for name in self._names() if is_kept(os.path.join(self._directory, name))]
        yield from kept
        yield from (name for name in map(str, count()) if name not in kept)

    def _forget_removed(self) -> None:
        """Let go of the slots that somebody has removed by hand."""
        removed = [slot for slot in self._free if not slot.is_there]
        for slot in removed:
            self._free.remove(slot)
            slot.close()

    def _names(self) -> list[str]:
        try:
            return list(filter(str.isdecimal, os.listdir(self._directory)))
        except FileNotFoundError:
            return []


def _keep(slot: Slot) -> bool:
    try:
        return slot.keep()
    except OSError:  # a stage made a directory read-only
        return False
