"""The queue of a project: where it is, what holds its commits, and its upkeep."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.errors import GitError
from exprun.git.held import let_go
from exprun.git.packing import remove_stale_keeps
from exprun.queue.queue import Queue
from exprun.runner.keeping import kept_refs

if TYPE_CHECKING:
    from collections.abc import Callable

    from exprun.project.root import Place
    from exprun.runner.opening import Opened


def open_queue(opened: Opened) -> Queue:
    """The queue of a project."""
    return queue_at(opened.place, opened.warn)


def queue_at(place: Place, warn: Callable[[str], None]) -> Queue:
    """The queue of the project at a place, for those who need nothing else of it."""
    return Queue(os.path.join(place.state_dir, "queue"), warn=warn)


def queue_refs(opened: Opened) -> str:
    """How the refs begin that hold a queue's commits; so do the labels of its packs."""
    return opened.repository.own_refs("queue", opened.place.prefix)


def tidy_queue(opened: Opened, queue: Queue | None = None) -> None:
    """Let go of what is not needed any more: commits, copied files, logs, dead locks."""
    queue = queue or open_queue(opened)
    queue.tidy()
    repository, refs = opened.repository, queue_refs(opened)
    held = [ref for ref, _ in repository.refs.iterate(refs)]
    # Whoever is alive may still be queueing; whoever is not is in the journal by now, or never.
    left = [ref for ref in held if not queue.is_alive(ref.removeprefix(refs))]
    needed = queue.batches()
    unfinished = [entry.id for entry in queue.unfinished()]
    stale = [ref for ref in left if ref.removeprefix(refs) not in needed]
    try:
        let_go(repository, [*stale, *kept_refs(opened, unfinished)])
    except GitError as error:
        opened.warn(f"refs of the queue were not removed: {error}")
    remove_stale_keeps(
        repository.objects,
        lambda label: label.startswith(refs) and not queue.is_alive(label.removeprefix(refs)),
    )
