"""Sharing an experiment as soon as it is stored: its ref by Git, its data by the DVC remotes.

On with ``exp.auto_push`` or ``DVC_EXP_AUTO_PUSH``, as in DVC. What goes wrong is a warning: the
experiment itself is safe.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from exprun import events
from exprun.errors import ConfigError, StoreError
from exprun.executors.descendants import with_mark
from exprun.git.command import run_git
from exprun.model.values import dataclass
from exprun.project.environment import is_yes
from exprun.runner import threads
from exprun.runner.failures import FAULTS
from exprun.runner.pulling import find_remote
from exprun.store.remotes import open_remote

if TYPE_CHECKING:
    from exprun.git.experiment_refs import ExperimentRef
    from exprun.git.experiments import Published
    from exprun.model.lock import Content
    from exprun.runner.opening import Opened
    from exprun.runner.session import Session
    from exprun.runner.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Pushes experiments to `git_remote`, and their data to where it belongs."""

    opened: Opened
    git_remote: str

    def push(self, ref: ExperimentRef, site: Site, mark: str) -> None:
        """Push one experiment, whose stages are in `site`. Git's processes carry the `mark`."""
        repository = self.opened.repository
        try:
            run_git(
                repository.workdir,
                with_mark(repository.env, mark),
                ["push", "--quiet", "--no-verify", "--", self.git_remote, f"{ref}:{ref}"],
            )
            for name, contents in _outputs_by_remote(site).items():
                remote = find_remote(self.opened.config, name)
                if missing := site.store.push(contents, remote).missing:
                    some = "objects are" if len(missing) > 1 else "object is"
                    site.warn(f"{len(missing)} {some} not in the cache and were not pushed")
            site.store.push_runs(find_remote(self.opened.config, None))
        except FAULTS as error:
            site.warn(f"experiment '{ref.name}' was not pushed to '{self.git_remote}': {error}")


def open_sharing(opened: Opened) -> Sharing | None:
    """How experiments are shared, if that is wanted and possible; else with a warning why not."""
    wanted = opened.env.get("DVC_EXP_AUTO_PUSH")
    if not (opened.config.exp.auto_push if wanted is None else is_yes(wanted)):
        return None
    remote = opened.env.get("DVC_EXP_GIT_REMOTE") or opened.config.exp.git_remote or "origin"
    try:
        _check_git_remote(opened, remote)
        open_remote(find_remote(opened.config, None))
    except (ConfigError, StoreError) as error:
        opened.warn(f"experiments are not pushed: {error}")
        return None
    return Sharing(opened=opened, git_remote=remote)


def _check_git_remote(opened: Opened, name: str) -> None:
    url = opened.repository.config.get(f"remote.{name}.url") or name
    is_elsewhere = "://" in url or re.match(r"[^/]+:", url)
    if not is_elsewhere and not os.path.exists(os.path.join(opened.repository.workdir, url)):
        raise ConfigError(f"'{name}' is not a valid Git remote", hint="git remote add NAME URL")


def _outputs_by_remote(site: Site) -> dict[str | None, list[Content]]:
    """The cached outputs of the project that may be pushed, as recorded."""
    found: dict[str | None, list[Content]] = {}
    for stage in site.project.stages:
        entry = None if stage.is_import else site.records.entry(stage)
        recorded = {out.path: out.content for out in entry.outs} if entry else {}
        for out in stage.outs:
            content = recorded.get(out.path)
            if out.cache and out.push and content is not None:
                found.setdefault(out.remote, []).append(content)
    return found


async def share(
    session: Session, sharing: Sharing | None, published: Published, site: Site
) -> None:
    """Push an experiment that is stored, if that is wanted."""
    if sharing is not None:
        name = published.ref.name
        session.emit(events.ExperimentPushing(experiment=name, remote=sharing.git_remote))
        with session.pushing() as mark:
            await threads.run_sync(sharing.push, published.ref, site, mark)
