"""What is done to one stage besides running its command: judging, restoring, saving.

Synchronous, and safe to call for several stages from several threads. The steps and their order are
DVC's (`dvc.stage.Stage.reproduce` and `run`), except that nothing is removed before it is certain
that the stage can run.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from exprun.errors import MissingDependency, PipelineError
from exprun.lockfile.compare import ChangeKind
from exprun.lockfile.datasets import dataset_of, is_dataset
from exprun.lockfile.entries import build_entry
from exprun.lockfile.keys import (
    is_cacheable,
    is_savable,
    matches,
    parse_run_cache,
    run_cache_key,
    run_cache_names,
    run_cache_text,
)
from exprun.lockfile.restore import Source, source_of_outputs
from exprun.model.paths import is_url
from exprun.model.values import dataclass
from exprun.runner.importing import follows_source, import_again
from exprun.runner.inputs import check_inputs, check_params
from exprun.runner.looking import find_reasons
from exprun.runner.outputs import collect_payload, require_outputs, save_output
from exprun.runner.probe import Glance, content_like
from exprun.runner.versions import keep_versions
from exprun.store.failures import MissingObjects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exprun.lockfile.compare import Change, Probe
    from exprun.model.experiment import ReproOptions
    from exprun.model.lock import Content, LockedStage
    from exprun.model.paths import Location
    from exprun.model.stage import Stage, StageId
    from exprun.runner.lockbook import Recorded
    from exprun.runner.pulling import Puller
    from exprun.runner.site import Site


class Need(Enum):
    """What it takes to bring a stage up to date."""

    NOTHING = "nothing"
    PULLED = "pulled"
    RESTORE = "restore"
    VERIFY = "verify"
    IMPORT = "import"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a stage needs, why, and where its outputs can come from.

    `flight` names the work of a stage that has to run, if an identical one may do it for this one;
    `inputs` is what it reads, as it was then.
    """

    need: Need
    reasons: tuple[Change, ...] = ()
    source: LockedStage | None = None
    flight: str | None = None
    inputs: LockedStage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A stage brought up to date: its entry, and what recording it did."""

    entry: LockedStage
    recorded: Recorded | None


class StageWork:
    """The work on the stages of one workspace."""

    def __init__(self, site: Site, options: ReproOptions, puller: Puller | None = None) -> None:
        self._site = site
        self._options = options
        self._puller = puller if options.pull else None
        self._glance = site.probe.start
        self._first: dict[StageId, Change | None] = {}

    def _look_again(self) -> None:
        """Forget what was seen: from now on things may have changed, by our own doing."""
        self._glance = Glance(self._site.probe)
        self._first = {}

    def begin(self) -> None:
        """What comes before the first stage: with ``--pull``, fetching the run cache."""
        if self._puller is not None and self._options.run_cache:
            self._puller.fetch_runs()

    def reasons(self, stage: Stage, *, allow_missing: bool | None = None) -> Iterator[Change]:
        """Why a stage would have to run, found one by one."""
        missing_is_fine = self._options.allow_missing if allow_missing is None else allow_missing
        return find_reasons(self._site, stage, allow_missing=missing_is_fine, probe=self._glance)

    def first_reason(self, stage: Stage) -> Change | None:
        """The first of `reasons`, found once for as long as nothing is done in the workspace."""
        known = self._first
        if stage.id not in known:
            known[stage.id] = next(self.reasons(stage), None)
        return known[stage.id]

    def was_unchanged(self, stage: Stage) -> bool:
        """Whether `first_reason` was asked, found none, and nothing has been done since."""
        return self._first.get(stage.id, stage) is None

    def judge(self, stage: Stage, *, forced: bool) -> Judgement:
        """What a stage needs now. Raises ProjectError if it cannot be brought up to date."""
        # A dependency may be a directory with pipelines of its own.
        self._site.records.flush(within=[dep.location for dep in stage.deps])
        reasons: tuple[Change, ...] = ()
        if not forced:
            first = self.first_reason(stage)
            if first is None:
                return Judgement(need=Need.NOTHING)
            reasons = (first,)
            if self._puller and self.is_only_missing(stage) and self._pull_outputs(stage):
                return Judgement(need=Need.PULLED, reasons=reasons)
        if follows_source(stage, self._site.records.entry(stage)):
            return Judgement(need=Need.IMPORT, reasons=reasons)
        if stage.frozen or not stage.cmd:
            return Judgement(need=Need.VERIFY, reasons=reasons)
        _require_command(stage)
        if self._puller is not None and not forced:
            self._puller.fetch_dependencies(stage, self._site)
            self._look_again()
        current = self._current_inputs(stage)
        if forced:
            return Judgement(need=Need.RUN, reasons=reasons, inputs=current)
        key = run_cache_key(current)
        source = self._find_source(stage, current, key)
        if source is not None:
            return Judgement(need=Need.RESTORE, reasons=reasons, source=source)
        flight = key if self._may_share(stage, current) else None
        return Judgement(need=Need.RUN, reasons=reasons, flight=flight, inputs=current)

    def restore(self, stage: Stage, source: LockedStage) -> Saved:
        """Check the outputs of `source` out and save the stage. Raises MissingObjects."""
        self._check_out(stage, source)
        return self.save(stage)

    def verify(self, stage: Stage) -> Saved:
        """Save a stage without a command, or a frozen one, from the outputs that are there."""
        if stage.is_pipeline_stage and not stage.cmd:
            raise PipelineError(f"stage '{stage.name}' has no command", where=stage.file)
        return self.save(stage)

    def import_again(self, stage: Stage) -> Saved:
        """Bring imported data up to date with its source, and save the stage."""
        site = self._site
        reasons = {change.kind for change in self.reasons(stage)}
        trust = not self._options.force and reasons <= {ChangeKind.OUTPUT}
        self._look_again()
        import_again(stage, site, site.records.entry(stage), trust=trust)
        return self.save(stage)

    def prepare(self, stage: Stage) -> None:
        """Make way for a command: remove the outputs, make persistent ones writable."""
        site = self._site
        self._look_again()
        for out in stage.outs:
            if is_url(out.location):
                continue
            if not out.persist:
                site.store.remove_output(site.path(out.location), root=site.root)
            elif out.cache:
                site.store.unprotect(site.path(out.location), root=site.root)

    def save(self, stage: Stage, *, inputs: LockedStage | None = None) -> Saved:
        """Hash what a stage read and made, bring its outputs into the cache, and record it.

        `inputs` is what it read, as it was before its commands ran, if they did.
        Raises MissingDependency, MissingOutput, ParamsError, and StoreError.
        """
        site = self._site
        known = site.records.entry(stage)
        require_outputs(site, stage)
        contents = self._dependency_contents(stage, known, site.probe)
        if inputs is not None:
            check_inputs(site, stage, inputs, contents)
        for out in stage.outs:
            if out.is_kept_in_cache:
                site.ignore(out.location)
        commit = self._options.commit
        # What was judged to be worth keeping mostly is: then nothing has to be read twice.
        keeps_all = commit and inputs is not None and is_savable(stage, inputs)
        for out in stage.outs:
            is_kept = keeps_all or (commit and out.cache)
            contents[out.location] = save_output(site, out, known, collect=is_kept)
        entry = build_entry(
            stage, contents, self._params(stage), recorded=known, extras=self._extras(stage)
        )
        if inputs is not None:
            check_params(site, stage, inputs, entry)
        if commit and is_savable(stage, entry):
            if not keeps_all:
                collect_payload(site, stage)
            self._save_to_run_cache(entry)
        entry = keep_versions(site, stage, entry)
        recorded = site.records.record(stage, entry)
        self._look_again()
        return Saved(entry=entry, recorded=recorded)

    # Pulling

    def is_only_missing(self, stage: Stage) -> bool:
        """Whether nothing but data that may be pulled keeps a stage from being up to date."""
        return not any(self.reasons(stage, allow_missing=True))

    def _pull_outputs(self, stage: Stage) -> bool:
        """Fetch and check out the recorded outputs of a stage, if every one can be had."""
        entry = self._site.records.entry(stage)
        if self._puller is None or not self._puller.fetch_outputs(stage, entry):
            return False
        recorded = {out.path: out.content for out in entry.outs} if entry else {}
        for out in stage.outs:
            content = recorded.get(out.path)
            if out.cache and content is not None:
                self._puller.require_saved(out.location, content, self._site)
        try:
            self._check_out(stage, entry)
        except MissingObjects:
            return False  # A metric that is not cached is on no remote.
        return True

    # Inputs

    def _current_inputs(self, stage: Stage) -> LockedStage:
        """The entry of a stage as it would be now, its outputs not looked at."""
        known = self._site.records.entry(stage)
        contents = self._dependency_contents(stage, known, self._glance)
        return build_entry(stage, contents, self._params(stage), extras=self._extras(stage))

    def _extras(self, stage: Stage) -> dict[Location, Mapping[str, object]]:
        """What is recorded of the dependencies that are datasets. Raises MissingDependency."""
        datasets = self._site.external(stage).datasets
        return {
            dep.location: {"dataset": dataset_of(dep, datasets).require_content()}
            for dep in stage.deps
            if is_dataset(dep)
        }

    def _dependency_contents(
        self, stage: Stage, known: LockedStage | None, probe: Probe
    ) -> dict[Location, Content]:
        """What the dependencies hold; one with an entry of DVC 2 that did not change stays so."""
        recorded = {dep.path: dep.content for dep in known.deps} if known else {}
        contents: dict[Location, Content] = {}
        for dep in stage.deps:
            if dep.source is not None or is_dataset(dep):
                continue
            if is_url(dep.location):
                raise MissingDependency(
                    f"dependency '{dep.path}' lies elsewhere, where exprun does not look",
                    hint="run the stage with dvc, or make it a file: dvc import-url",
                )
            content = content_like(probe, dep.location, recorded.get(dep.path))
            if content is None:
                raise MissingDependency(
                    f"dependency '{dep.path}' does not exist",
                    hint="make it, or take it out of the stage's deps",
                )
            if content.is_empty:
                self._site.warn(f"'{dep.path}' is empty.")
            contents[dep.location] = content
        return contents

    def _params(self, stage: Stage) -> dict[Location, dict[str, object]]:
        values = {}
        for file in stage.params:
            found = self._site.probe.params(file.location)
            if found is not None:
                values[file.location] = dict(found)
        return values

    # Where outputs come from

    def _find_source(self, stage: Stage, current: LockedStage, key: str) -> LockedStage | None:
        """An entry whose outputs are all in the cache, verified."""
        site = self._site
        known = site.records.entry(stage)
        match source_of_outputs(stage, known, current, self._glance):
            case Source.LOCK:
                found = [known] if known else []
            case Source.RUN_CACHE if self._options.run_cache:
                found = list(self._cached_results(current, key))
            case _:
                found = []
        return next((entry for entry in found if self._is_complete(stage, entry)), None)

    def _cached_results(self, current: LockedStage, key: str) -> Iterator[LockedStage]:
        """The run cache's results for these inputs, newest first (deviations 4 and 5)."""
        runs = self._site.store.runs
        for value in runs.values(key):
            found = runs.load(key, value, partial(parse_run_cache, name=value))
            if found is not None and matches(found, current):
                yield found

    def _check_out(self, stage: Stage, entry: LockedStage | None) -> None:
        """Make the outputs what `entry` says, which has all of them."""
        self._look_again()
        contents = {out.path: out.content for out in entry.outs} if entry else {}
        # In the order of entries, as DVC: outputs may be links to one object, and share its mode.
        for out in sorted(stage.outs, key=attrgetter("path")):
            content = contents.get(out.path)
            if content is not None:
                place = self._site.path(out.location)
                self._site.store.checkout(content, place, root=self._site.root, plain=not out.cache)

    def _is_complete(self, stage: Stage, entry: LockedStage) -> bool:
        if self._puller is not None:
            self._puller.fetch_outputs(stage, entry)
        contents = {out.path: out.content for out in entry.outs}
        return all(
            (content := contents.get(out.path)) is not None
            and self._site.store.has(content, verify=True)
            for out in stage.outs
        )

    def _may_share(self, stage: Stage, current: LockedStage) -> bool:
        return self._options.run_cache and is_cacheable(stage, current)

    def _save_to_run_cache(self, entry: LockedStage) -> None:
        """Keep a result for the next time."""
        key, value = run_cache_names(entry)
        self._site.store.runs.save(
            key, value, run_cache_text(entry), partial(parse_run_cache, name=value)
        )


def _require_command(stage: Stage) -> None:
    """Templating can make something else of a command than text; DVC crashes then."""
    parts = stage.cmd if isinstance(stage.cmd, tuple) else (stage.cmd,)
    for part in parts:
        if not isinstance(part, str):
            raise PipelineError(
                f"the command of stage '{stage.name}' is not text but {part!r}",
                where=stage.file,
                hint="put text around the ${…} in it, or let it name a parameter that is text",
            )
