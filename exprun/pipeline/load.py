"""A dvc.yaml as a PipelineFile: every stage of it, resolved, and what stands beside the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exprun.errors import ParamsError, PipelineError
from exprun.formats.reading import YamlReader, read_yaml
from exprun.formats.text import DEFAULT_LIMITS, Limits, decode
from exprun.model.paths import join, parent
from exprun.model.values import dataclass, field
from exprun.pipeline.context import Context, VarsLoader
from exprun.pipeline.expressions import OPENING
from exprun.pipeline.groups import JOIN, Bindings, foreach_members, matrix_members
from exprun.pipeline.pipeline_file import PipelineFile
from exprun.pipeline.problem import Path, Problem
from exprun.pipeline.schema import check_pipeline
from exprun.pipeline.spelling import located
from exprun.pipeline.stages import build_stage
from exprun.pipeline.templating import (
    Budget,
    Resolver,
    Tracked,
    refuse_expressions,
    to_text,
)
from exprun.pipeline.unpacking import ParsingOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exprun.model.files import Files
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.pipeline.recent import RecentPipelines

MAX_STAGES = 20_000


def load_pipeline(
    location: Location,
    files: Files,
    *,
    root: str,
    parsing: ParsingOptions | None = None,
    limits: Limits = DEFAULT_LIMITS,
    max_stages: int = MAX_STAGES,
    yaml: YamlReader = read_yaml,
    recent: RecentPipelines | None = None,
) -> PipelineFile:
    """The pipeline file at `location`, all of its stages resolved.

    `root` is the absolute root of the project, only compared with absolute paths in the file.
    What is in `recent` is not loaded again. It must not be shared between different `parsing`,
    `limits` or `max_stages`.
    Raises PipelineError, with the line, for all that DVC would refuse when it loads the file.
    """
    text = _read(location, files, limits)
    vars = VarsLoader(files=files, read=set(), yaml=yaml)
    context: Context | None = None
    try:
        if recent is not None and (entries := recent.vars(location, text)) is not None:
            context = _load_vars(vars, entries, parent(location))
            known = recent.find(location, text, root=root, context=context)
            if known is not None:
                return known
        document = yaml(text, name=location, error=PipelineError, limits=limits) or {}
        check_pipeline(document)
        loader = _Loader(
            document=document,  # type: ignore[arg-type]  # the check above says it is a map
            location=location,
            directory=parent(location),
            root=root,
            vars=vars,
            parsing=parsing or ParsingOptions(),
            max_stages=max_stages,
            templated=OPENING in text,
            is_plain=OPENING not in text and "vars" not in text,
        )
        if context is None:
            context = _load_vars(vars, loader.entries, parent(location))
        loaded = loader.load(context)
        if recent is not None and not loader.has_stage_vars:
            recent.keep(text, loaded, vars=loader.entries, root=root, context=context)
        return loaded
    except Problem as problem:
        from exprun.formats.lines import line_of

        where = f"{location}:{line_of(text, problem.path)}"
        raise PipelineError(problem.message, where=where, hint=problem.hint) from None
    except ParamsError as failure:
        raise PipelineError(failure.message, where=failure.where, hint=failure.hint) from None


def has_usable_params(location: Location, files: Files, *, yaml: YamlReader = read_yaml) -> bool:
    """Whether the default parameters beside the pipeline file at `location` can be loaded."""
    try:
        VarsLoader(files=files, read=set(), yaml=yaml).check_default(parent(location))
    except (Problem, ParamsError):
        return False
    return True


def _read(location: Location, files: Files, limits: Limits) -> str:
    try:
        data = files.read(location)
    except OSError as failure:
        reason = (failure.strerror or "it cannot be read").lower()
        raise PipelineError(f"cannot read '{location}': {reason}", where=location) from None
    return decode(data, name=location, error=PipelineError, limits=limits)


def _load_vars(vars: VarsLoader, entries: list[object], directory: Location) -> Context:
    """The variables of a whole file in `directory`."""
    with _at("vars"):
        refuse_expressions(entries, "vars")
        context = vars.load_default(Context(), directory)
        return vars.load(context, entries, directory, where="vars")


@dataclass(slots=True, kw_only=True)
class _Loader:
    """Loads one document, which has passed the schema."""

    document: dict[str, Any]
    location: Location
    directory: Location
    root: str
    vars: VarsLoader
    parsing: ParsingOptions
    max_stages: int
    templated: bool
    is_plain: bool
    budget: Budget = field(default_factory=Budget)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    has_stage_vars: bool = False

    @property
    def entries(self) -> list[object]:
        """The ``vars`` of the whole file."""
        entries: list[object] = self.document.get("vars", [])
        return entries

    def load(self, context: Context) -> PipelineFile:
        stages = tuple(self._stages(context))
        return PipelineFile(
            location=self.location,
            stages=stages,
            groups=self.groups,
            metrics=self._locations(context, "metrics"),
            plots=self._plots(context),
            params=self._locations(context, "params"),
            artifacts=self._artifacts(context),
            datasets=tuple(self._section(context, "datasets")),
            read=frozenset(self.vars.read),
            is_plain=self.is_plain,
        )

    def _resolver(self, context: Context) -> Resolver:
        return Resolver(context=context, budget=self.budget, parsing=self.parsing)

    def _stages(self, context: Context) -> Iterator[Stage]:
        count = 0
        for name, definition in self.document.get("stages", {}).items():
            for stage_name, template, bindings, path in self._members(name, definition, context):
                count += 1
                if count > self.max_stages:
                    raise Problem(f"the file stands for more than {self.max_stages:,} stages", path)
                yield self._stage(stage_name, template, context, bindings, path)

    def _members(
        self, name: str, definition: dict[str, Any], context: Context
    ) -> Iterator[tuple[str, dict[str, Any], Bindings, Path]]:
        """The stages that an entry of ``stages`` stands for."""
        path: Path = ("stages", name)
        where = f"stages.{name}"
        resolver = self._resolver(context)
        if "matrix" in definition:
            with _at(*path, "matrix"):
                axes = definition["matrix"]
                members = matrix_members(axes, resolver, where, limit=self.max_stages)
            template = {key: value for key, value in definition.items() if key != "matrix"}
        elif "foreach" in definition:
            with _at(*path, "foreach"):
                members = foreach_members(definition["foreach"], resolver, where)
            template = definition["do"]
            path = (*path, "do")
        else:
            if not name or JOIN in name:
                raise Problem(f"'{name}' cannot be the name of a stage", path)
            yield name, definition, {}, path
            return
        for key in members:
            if not key or JOIN in key:
                raise Problem(f"'{name}{JOIN}{key}' cannot be the name of a stage", path)
        self.groups[name] = tuple(f"{name}{JOIN}{key}" for key in members)
        for key, bindings in members.items():
            yield f"{name}{JOIN}{key}", template, bindings, path

    def _stage(
        self,
        name: str,
        template: dict[str, Any],
        context: Context,
        bindings: Bindings,
        path: Path,
    ) -> Stage:
        tracked: Tracked = {}
        definition: Mapping[str, Any] = template
        if self.templated or "vars" in template:
            resolver = self._resolver(context.bound(bindings) if bindings else context)
            definition = self._resolved(name, template, resolver, path)
            tracked = resolver.tracked
        try:
            return build_stage(
                name,
                definition,
                file=self.location,
                directory=self.directory,
                root=self.root,
                tracked=tracked,
            )
        except Problem as problem:
            raise Problem(f"stage '{name}': {problem.message}", (*path, *problem.path)) from None

    def _resolved(
        self, name: str, template: dict[str, Any], resolver: Resolver, path: Path
    ) -> dict[str, Any]:
        if "vars" in template:
            self._load_stage_vars(name, template, resolver, path)
        resolved: dict[str, Any] = {}
        for key, value in template.items():
            if key != "vars":
                with _at(*path, key, prefix=f"failed to parse 'stages.{name}.{key}': "):
                    resolved[key] = resolver.stage_value(value, key)
        return resolved

    def _load_stage_vars(
        self, name: str, template: dict[str, Any], resolver: Resolver, path: Path
    ) -> None:
        self.has_stage_vars = True
        directory = self.directory
        if wdir := template.get("wdir"):
            with _at(*path, "wdir", prefix=f"failed to parse 'stages.{name}.wdir': "):
                untracked = self._resolver(resolver.context)
                text = to_text(untracked.free_value(wdir), self.parsing)
                directory = located(text, self.directory, self.root)
        with _at(*path, "vars", prefix=f"failed to parse stage '{name}': "):
            refuse_expressions(template["vars"], f"stages.{name}.vars")
            resolver.context = self.vars.load(
                resolver.context, template["vars"], directory, where=f"{name}.vars"
            )

    def _section(self, context: Context, key: str) -> Iterator[Any]:
        """The resolved entries of a list at the top level."""
        resolver = self._resolver(context)
        for index, entry in enumerate(self.document.get(key, ())):
            with _at(key, index, prefix=f"failed to parse '{key}.{index}': "):
                yield resolver.free_value(entry)

    def _locations(self, context: Context, key: str) -> tuple[Location, ...]:
        return tuple(
            self._location(path, (key, index))
            for index, path in enumerate(self._section(context, key))
        )

    def _location(self, path: object, place: Path) -> Location:
        if not isinstance(path, str):
            raise Problem(f"expected a path, got {path!r}", place)
        return join(self.directory, path)

    def _plots(self, context: Context) -> tuple[Location, ...]:
        """The data files of the top-level plots: the names themselves, or those of their axes."""
        definitions: dict[object, Any] = {}
        for index, entry in enumerate(self._section(context, "plots")):
            if isinstance(entry, dict):
                name, props = next(iter(entry.items()))
                definitions[name] = props or {}
            elif isinstance(entry, str):
                definitions[entry] = {}
            else:
                raise Problem(f"expected the name of a plot, got {entry!r}", ("plots", index))
        found: dict[Location, None] = {}
        for name, props in definitions.items():
            axes = [props.get("y"), props.get("x")]
            sources = (
                [file for axis in axes if isinstance(axis, dict) for file in axis]
                if isinstance(axes[0], dict)
                else [name]
            )
            found.update((self._location(source, ("plots",)), None) for source in sources)
        return tuple(found)

    def _artifacts(self, context: Context) -> dict[str, object]:
        resolver = self._resolver(context)
        artifacts: dict[str, object] = {}
        for name, definition in self.document.get("artifacts", {}).items():
            with _at("artifacts", name, prefix=f"failed to parse 'artifacts.{name}': "):
                resolved = resolver.free_value(name)
                if not isinstance(resolved, str):
                    raise Problem(f"expected text as the name, got {resolved!r}")
                artifacts[resolved] = resolver.free_value(definition)
        return artifacts


class _at:
    """Gives a Problem that has no path yet this one, and tells whose it is."""

    __slots__ = ("_path", "_prefix")

    def __init__(self, *path: str | int, prefix: str = "") -> None:
        self._path = path
        self._prefix = prefix

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, problem: object, _trace: object) -> None:
        if isinstance(problem, Problem):
            message = self._prefix + problem.message
            path = problem.path or self._path
            raise Problem(message, path, hint=problem.hint) from None
