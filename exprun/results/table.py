"""The states of the workspace, of baselines and of their experiments: what ``show`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exprun.errors import ExprunError
from exprun.git.experiment_refs import list_experiments
from exprun.model.values import dataclass
from exprun.pipeline.unpacking import ParsingOptions
from exprun.results.collecting import Collector, project_failure
from exprun.results.history import History
from exprun.results.reading import CommitReader, describe_workspace
from exprun.results.remembered import Recollection, Remembered
from exprun.results.state import WORKSPACE, Range, State, bare, timestamp
from exprun.runner.remembering import RememberingYaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exprun.runner.opening import Opened

_FIRST = ("running",)


class Unfinished(Protocol):
    """A source of experiments that have no commit of their own: the queue."""

    def ranges(self, baseline: str, known: Recollection) -> Iterable[Range]:
        """The experiments of a baseline, each with an executor whose state is not success.

        What their commits hold is taken from what is `known`, and added to that.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which baselines to show: `revs` (default: HEAD) with `count` commits each, and more.

    A negative `count` means all that came before.
    """

    revs: tuple[str, ...] = ()
    count: int = 1
    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False

    def baselines(self, history: History) -> list[str]:
        """The commits, each once, in the order asked for. Raises UsageError."""
        extra = self.all_branches or self.all_tags or self.all_commits
        revs = self.revs or (() if extra else ("HEAD",))
        found = history.back(revs, self.count)
        if self.all_commits:
            found += history.everything()
        else:
            if self.all_branches:
                found += history.back(history.branches(), self.count)
            if self.all_tags:
                found += [history.resolve(tag) for tag in history.tags()]
        return list(dict.fromkeys(found))


class Results:
    """Reads the workspace and commits of one project. One thread at a time may use it.

    `fresh` looks at every commit again, whatever is remembered; `param_deps` leaves out parameters
    that no stage depends on.
    """

    def __init__(self, opened: Opened, *, fresh: bool = False, param_deps: bool = False) -> None:
        self._opened = opened
        self._repository = opened.repository
        self._param_deps = param_deps
        self._fresh = fresh or param_deps
        self.history = History(self._repository)
        parsing = parsing_options(opened)
        # What a commit holds is remembered as a whole: its texts only while others may share them.
        yaml = RememberingYaml(None)
        self._reader = CommitReader(
            self._repository.objects,
            prefix=opened.place.prefix,
            root=opened.place.root,
            parsing=parsing,
            yaml=yaml,
        )
        self._collector = Collector(opened.store, opened.place.root, yaml)
        self._remembered = Remembered(f"{opened.records_dir}/results", repr(parsing))

    def workspace(self) -> State:
        """The workspace as it is now; what is wrong with it is part of the state."""
        return self._on_disk(self._opened, self._collector)

    def elsewhere(self, root: str) -> State:
        """As `workspace`, what the directory at `root` holds, where an experiment runs."""
        opened = self._opened.at(root)
        return self._on_disk(opened, Collector(opened.store, root))

    def _on_disk(self, opened: Opened, collector: Collector) -> State:
        try:
            project = describe_workspace(opened.load())
            data = collector.collect(
                project, WORKSPACE, timestamp=None, param_deps=self._param_deps
            )
        except ExprunError as error:
            return bare(WORKSPACE, error=project_failure(error))
        return bare(WORKSPACE, data=data)

    def commit(self, rev: str, known: Recollection | None = None) -> State:
        """A commit, from what is `known` if possible."""
        data = known.get(rev) if known and not self._fresh else None
        if data is not None:
            return bare(rev, data=data)
        commit = self.history.commit(rev)
        try:
            project = self._reader.describe(commit.tree)
            data = self._collector.collect(
                project, rev, timestamp=timestamp(commit.time), param_deps=self._param_deps
            )
        except ExprunError as error:
            return bare(rev, error=project_failure(error))
        if known is not None and not self._param_deps:
            known.add(data, commit)
        return bare(rev, data=data)

    def table(
        self,
        wanted: Wanted,
        *,
        workspace: bool = True,
        named: bool = True,
        unfinished: Sequence[Unfinished] = (),
    ) -> list[State]:
        """The workspace and each baseline with its experiments. Raises UsageError and GitError.

        Of a baseline the running experiments come first, then the finished, then all others; in
        each group the newest.
        """
        baselines = wanted.baselines(self.history)
        names = self.history.names(baselines) if named else {}
        states = [self.workspace()] if workspace else []
        for baseline in baselines:
            known = self._remembered.load(baseline)
            state = self.commit(baseline, known)
            state["name"] = names.get(baseline)
            finished = _newest_first(self._finished(baseline, known))
            others = [range for source in unfinished for range in source.ranges(baseline, known)]
            running = [range for range in others if _state_of(range) in _FIRST]
            left = [range for range in others if _state_of(range) not in _FIRST]
            state["experiments"] = [*running, *finished, *left] or None
            states.append(state)
            if known.is_new:
                self._remembered.save(baseline, known)
        return states

    def _finished(self, baseline: str, known: Recollection) -> Iterator[Range]:
        refs, warn = self._repository.refs, self._opened.warn
        for ref, tip in list_experiments(refs, baseline=baseline, warn=warn):
            try:
                revs = [self.commit(rev, known) for rev in self._chain(tip, baseline, known)]
            except ExprunError:
                # A ref to a commit that is gone must not hide the others; `list` shows it.
                continue
            if not revs:
                continue
            revs[0]["name"] = ref.name
            yield Range(revs=revs, executor=None, name=ref.name)

    def _chain(self, tip: str, baseline: str, known: Recollection) -> Iterator[str]:
        """The commits of an experiment from its tip back to, without, its baseline."""
        rev: str | None = tip
        while rev is not None and rev != baseline:
            yield rev
            rev = known.parent(rev) or self.history.parent(rev)


def parsing_options(opened: Opened) -> ParsingOptions:
    """The project's configuration of how commands are made of maps."""
    parsing = opened.config.parsing
    return ParsingOptions(bools=parsing.bool, lists=parsing.list)


def _newest_first(ranges: Iterable[Range]) -> list[Range]:
    def age(range: Range) -> tuple[str, str]:
        tip = range["revs"][0]
        made = tip["data"]["timestamp"] if tip["data"] else None
        return (made, tip["rev"]) if made else ("", "")

    return sorted(ranges, key=age, reverse=True)


def _state_of(range: Range) -> str:
    return range["executor"]["state"] if range["executor"] else "success"
