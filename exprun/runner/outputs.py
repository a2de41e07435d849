"""The outputs that a stage's command has made: there must be all of them, and they are kept."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from exprun.errors import PipelineError
from exprun.model.job import FailureClass
from exprun.model.paths import is_outside
from exprun.model.stage import OutputKind
from exprun.runner.probe import content_like

if TYPE_CHECKING:
    from exprun.model.lock import Content, LockedStage
    from exprun.model.stage import Output, Stage
    from exprun.runner.site import Site

_USUAL = bytes(range(32, 127)) + b"\n\r\t\f\b"


class MissingOutput(PipelineError):
    """A stage's command succeeded without making one of its outputs."""

    failure = FailureClass.MISSING_OUTPUT


def require_outputs(site: Site, stage: Stage) -> None:
    """Raise MissingOutput, or PipelineError, for an output that is not there or cannot be one."""
    for out in stage.outs:
        path = site.path(out.location)
        try:
            mode = os.stat(path).st_mode
        except OSError:
            raise MissingOutput(
                f"output '{out.path}' does not exist", hint=_where_to_get_it(stage)
            ) from None
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise MissingOutput(f"output '{out.path}' is neither a file nor a directory")
        if out.kind is OutputKind.METRIC and not stat.S_ISDIR(mode):
            _require_text(path)


def save_output(site: Site, out: Output, known: LockedStage | None, *, collect: bool) -> Content:
    """What an output holds, brought into the cache if it is to be collected.

    One that `known` records in DVC 2's format, and that has not changed, stays in it.
    """
    path = site.path(out.location)
    recorded = next((o.content for o in known.outs if o.path == out.path), None) if known else None
    if out.cache and is_outside(out.location):
        raise PipelineError(
            f"output '{out.path}' lies outside of the project and cannot be cached",
            hint="make it an output with 'cache: false', or move it into the project",
        )
    content: Content | None
    if collect and not (recorded and recorded.legacy):
        content = site.store.collect(path, root=site.root, plain=not out.cache)
    else:
        content = content_like(site.probe, out.location, recorded)
        if content is None:
            raise MissingOutput(f"output '{out.path}' does not exist")
        if collect:
            content = site.store.collect(
                path, root=site.root, legacy=content.legacy, plain=not out.cache
            )
    if content.is_empty:
        site.warn(f"'{out.path}' is empty.")
    return content


def collect_payload(site: Site, stage: Stage) -> None:
    """Keep the metrics and plots that nothing but the run cache stores."""
    for out in stage.outs:
        if not out.cache:
            site.store.collect(site.path(out.location), root=site.root, plain=True)


def _require_text(path: str) -> None:
    """DVC's test for a metrics file: no NUL, and at most 30 % unusual bytes in the first 512."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        block = os.read(descriptor, 512)
    finally:
        os.close(descriptor)
    unusual = len(block.translate(None, _USUAL))
    if b"\0" in block or unusual > 0.3 * len(block):
        raise PipelineError(f"binary file '{path}' cannot be used as metrics.")


def _where_to_get_it(stage: Stage) -> str | None:
    if any("repo" in (dep.source or ()) for dep in stage.deps):
        return f"it is in another repository: dvc pull {stage.file}"
    return None
